//! What each verb does.

use std::{
    io::{self, Read as _},
    process::ExitCode,
    sync::Arc,
};

use datafusion::{
    error::DataFusionError,
    prelude::{SessionConfig, SessionContext},
};
use keyseal_ballista::{
    Engine, EngineConfig, Role, connect, connect_with_tls, local, run_executor, run_scheduler,
    run_statements,
};

use crate::{
    args::{Args, Command, ProcessArgs, SqlArgs},
    demo,
    error::BoxError,
    logging,
};

pub(crate) fn run(args: Args) -> Result<ExitCode, BoxError> {
    logging::start();
    if args.process.until_stdin_closes {
        local::exit_with_parent()?;
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let process = args.process;
    match args.command {
        Command::Scheduler(args) => {
            let engine = runtime.block_on(async { open(&process, Role::Scheduler) })?;
            runtime.block_on(run_scheduler(engine, &args))?;
        }
        Command::Executor(args) => {
            let engine = runtime.block_on(async { open(&process, Role::Executor) })?;
            runtime.block_on(run_executor(engine, &args))?;
        }
        Command::Sql(args) => runtime.block_on(sql(&process, args))?,
        Command::Demo(args) => return runtime.block_on(demo::run(&args)),
        Command::Story(args) => return runtime.block_on(demo::tell(&args)),
        Command::Emulator => local::serve_emulator()?,
        Command::Guard { command } => {
            if let Some((program, arguments)) = command.split_first() {
                return Ok(local::guard(program, arguments)?);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the configuration, and starts to keep the meter's file.
fn open(process: &ProcessArgs, role: Role) -> Result<Arc<Engine>, BoxError> {
    let config = EngineConfig::read(&process.config)?;
    let engine = Arc::new(Engine::new(&config, role)?);
    if let Some(path) = process.meter.clone() {
        let meter = Arc::clone(engine.meter());
        tokio::spawn(async move {
            let Err(error) = local::write_meter(meter, &path).await;
            tracing::error!("the meter {} is no longer written: {error}", path.display());
        });
    }
    Ok(engine)
}

async fn sql(process: &ProcessArgs, args: SqlArgs) -> Result<(), BoxError> {
    let sql = match args.sql {
        Some(sql) => sql,
        None => {
            let mut sql = String::new();
            io::stdin().lock().read_to_string(&mut sql)?;
            sql
        }
    };
    let engine = open(process, Role::Client)?;
    // A query in this process needs no certificates, whatever the variables say.
    let tls = match args.local {
        true => None,
        false => args.tls.read()?,
    };
    let ctx = match &tls {
        _ if args.local => {
            SessionContext::new_with_state(engine.state(SessionConfig::new(), None)?)
        }
        Some(tls) => connect_with_tls(&engine, &args.scheduler, tls).await?,
        None => connect(&engine, &args.scheduler).await?,
    };
    let done = run_statements(&ctx, &sql, &mut io::stdout()).await;
    match tls {
        Some(_) => done?,
        None => done.map_err(with_hint)?,
    }
    Ok(())
}

/// What a client in clear sees of a scheduler with TLS has many forms. It is never that nobody listens.
fn with_hint(error: DataFusionError) -> BoxError {
    let text = error.to_string();
    match text.contains("tonic::transport::Error") && !text.contains("ConnectError") {
        true => format!("{text}; if the scheduler has TLS, give its CA as --tls-ca").into(),
        false => error.into(),
    }
}

//! SQL statements, one after the other, and their results as tables.

use std::io::Write;

use datafusion::{
    arrow::util::pretty::pretty_format_batches,
    error::{DataFusionError, Result},
    prelude::SessionContext,
    sql::parser::DFParser,
};

/// Runs the statements of `sql`, which semicolons separate, and writes their results.
///
/// # Errors
/// [`DataFusionError`] of the first statement that fails; the later ones are not run.
pub async fn run_statements(
    ctx: &SessionContext,
    sql: &str,
    out: &mut (impl Write + Send),
) -> Result<()> {
    for statement in DFParser::parse_sql(sql)? {
        let plan = ctx.state().statement_to_plan(statement).await?;
        let frame = ctx.execute_logical_plan(plan).await?;
        let has_columns = !frame.schema().fields().is_empty();
        let batches = frame.collect().await?;
        if has_columns {
            let table = pretty_format_batches(&batches)?;
            writeln!(out, "{table}").map_err(DataFusionError::IoError)?;
        }
    }
    Ok(())
}

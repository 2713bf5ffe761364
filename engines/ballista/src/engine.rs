//! [`Engine`]: the same stores and functions for the scheduler, the executors and the client.

use std::{path::Path, sync::Arc};

use ballista_core::extension::{
    ballista_aggregate_functions, ballista_scalar_functions, ballista_window_functions,
};
use ballista_core::optimizer::ballista_default_optimizer_rules;
use datafusion::{
    error::{DataFusionError, Result},
    execution::{
        SessionState, SessionStateBuilder,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    prelude::{SessionConfig, SessionContext},
};
use keyseal::RemoteAead;
use keyseal_datafusion::{KeyRing, SealedRegistry, functions, register};
use keyseal_object_store::EncryptedStoreBuilder;

use crate::{
    config::{EngineConfig, StoreConfig, WrappedKeyset},
    kms,
    meter::Meter,
    place::KeysetPlace,
    plain::PlainRegistry,
    role::Role,
    store_kek::{DirectKek, KeysetKek},
};

/// What every process of a cluster has: encrypted stores, and functions with named keysets.
///
/// Nothing is unwrapped until a query needs it, so a process without rights starts, and serves the
/// queries that need none.
///
/// # Example
/// ```
/// use std::path::Path;
///
/// use datafusion::prelude::SessionConfig;
/// use keyseal_ballista::{Engine, EngineConfig, Role};
///
/// let config = EngineConfig::parse("", Path::new("keyseal-engine.toml"))?;
/// let engine = Engine::new(&config, Role::Client)?;
/// let state = engine.state(SessionConfig::new(), None)?;
/// assert!(state.scalar_functions().contains_key("aead_decrypt_string"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Engine {
    ring: Arc<KeyRing>,
    registry: Arc<SealedRegistry>,
    meter: Arc<Meter>,
}

impl Engine {
    /// Prepares stores and keysets. No service is called.
    ///
    /// # Errors
    /// [`DataFusionError`] if the environment has no usable settings for a bucket with keysets.
    pub fn new(config: &EngineConfig, role: Role) -> Result<Self> {
        let meter = Arc::default();
        let mut registry = SealedRegistry::new(Arc::new(PlainRegistry::new(Arc::clone(&meter))?));
        for store in config.stores() {
            let settings = store_settings(store, config.folder(), role)?;
            registry = registry.sealed(&store.prefix, settings)?;
        }
        Ok(Self {
            ring: Arc::new(key_ring(config, role)?),
            registry: Arc::new(registry),
            meter,
        })
    }

    /// Makes a runtime that finds the stores. Operators spill to the folder `spill`, if there is one.
    ///
    /// All runtimes of an engine share its stores, and the keys that they have open.
    ///
    /// # Errors
    /// [`DataFusionError`] if the folder cannot be used.
    pub fn runtime(&self, spill: Option<&Path>) -> Result<Arc<RuntimeEnv>> {
        let builder =
            RuntimeEnvBuilder::new().with_object_store_registry(Arc::clone(&self.registry) as _);
        match spill {
            Some(spill) => builder.with_temp_file_path(spill).build_arc(),
            None => builder.build_arc(),
        }
    }

    /// Makes the state of a session: Ballista's functions and rules, and ours.
    ///
    /// # Errors
    /// [`DataFusionError`] as [`runtime`](Self::runtime).
    pub fn state(&self, config: SessionConfig, spill: Option<&Path>) -> Result<SessionState> {
        let mut scalar = ballista_scalar_functions();
        scalar.extend(functions(&self.ring).into_iter().map(Arc::new));
        Ok(SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .with_runtime_env(self.runtime(spill)?)
            .with_optimizer_rules(ballista_default_optimizer_rules())
            .with_scalar_functions(scalar)
            .with_aggregate_functions(ballista_aggregate_functions())
            .with_window_functions(ballista_window_functions())
            .build())
    }

    /// Adds the functions to a context that Ballista made: it drops those of the state it was given.
    pub fn register(&self, ctx: &SessionContext) {
        register(ctx, &self.ring);
    }

    /// Returns the counts of what this process read.
    #[must_use]
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }
}

fn store_settings(
    store: &StoreConfig,
    folder: &Path,
    role: Role,
) -> Result<impl Fn(EncryptedStoreBuilder) -> EncryptedStoreBuilder + Send + Sync + 'static> {
    let direct = DirectKek {
        kms: kms::clients(folder, role),
        uri: store.kek.clone(),
    };
    let kek: Arc<dyn RemoteAead> = match &store.keyset {
        Some(keyset) => Arc::new(KeysetKek::new(direct, KeysetPlace::open(keyset)?)),
        None => Arc::new(direct),
    };
    let context = store.context.clone();
    Ok(move |builder: EncryptedStoreBuilder| {
        builder.kek(Arc::clone(&kek)).context(context.as_str())
    })
}

fn key_ring(config: &EngineConfig, role: Role) -> Result<KeyRing, DataFusionError> {
    let mut ring = KeyRing::new().kms(kms::clients(config.folder(), role));
    for keyset in config.keysets() {
        let (name, kek) = (keyset.name.as_str(), keyset.kek.as_str());
        ring = match &keyset.wrapped {
            WrappedKeyset::Inline(wrapped) => ring.wrapped_keyset(name, kek, wrapped.clone()),
            WrappedKeyset::Kept(location) => {
                ring.wrapped_keyset_from(name, kek, KeysetPlace::open(location)?)
            }
        };
        ring = ring.allow(name, keyset.allow.clone());
    }
    Ok(ring)
}

//! The functions, for a context or a state.

use std::sync::Arc;

use datafusion::{execution::context::SessionContext, logical_expr::ScalarUDF};

use crate::{aead, deterministic, function, keysets, references, ring::KeyRing, wrapped};

/// Makes all functions, for a
/// [`SessionStateBuilder`](datafusion::execution::SessionStateBuilder) or another registry.
#[must_use]
pub fn functions(ring: &Arc<KeyRing>) -> Vec<ScalarUDF> {
    let families = [
        aead::FUNCTIONS,
        deterministic::FUNCTIONS,
        keysets::FUNCTIONS,
        references::FUNCTIONS,
        wrapped::FUNCTIONS,
    ];
    let definitions = families.into_iter().flatten();
    definitions
        .map(|definition| function::udf(definition, ring))
        .collect()
}

/// Adds all functions to a context.
///
/// With Ballista, call it on the context that `SessionContext::remote_with_state` returns, which
/// replaces the functions of the state it was given.
pub fn register(ctx: &SessionContext, ring: &Arc<KeyRing>) {
    for function in functions(ring) {
        ctx.register_udf(function);
    }
}

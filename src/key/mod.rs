pub mod prefix;
pub use prefix::{KeyId,Variant};

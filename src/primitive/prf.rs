use crate::error::PrfError;

/// A pseudorandom function: the same input always gives the same bytes, and nobody without the key
/// can tell them from random ones.
///
/// For blind indexes, tokens and your own keys. A shorter output is the start of a longer one.
///
/// # Example
/// ```
/// use keyseal::{KeysetHandle, KeysetPrfSet};
///
/// let prfs: KeysetPrfSet = KeysetHandle::generate("HKDF_SHA256")?.primitive()?;
/// let index = prfs.primary().compute_prf(b"ada@example.org", 16)?;
/// assert_eq!(index.len(), 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Prf: Send + Sync {
    /// Returns the longest output in bytes.
    fn max_output_length(&self) -> usize;

    /// Fills `output` with the function's value at `input`.
    ///
    /// # Errors
    /// [`PrfError::TooLong`] if `output` is longer than
    /// [`max_output_length`](Self::max_output_length); `output` is then unchanged.
    fn compute_prf_into(&self, input: &[u8], output: &mut [u8]) -> Result<(), PrfError>;

    /// Computes the first `output_length` bytes of the function's value at `input`.
    ///
    /// # Errors
    /// [`PrfError::TooLong`] if that is more than [`max_output_length`](Self::max_output_length).
    ///
    /// # Security
    /// If the output is a key, use [`compute_prf_into`](Self::compute_prf_into) instead, with a
    /// buffer that is wiped.
    fn compute_prf(&self, input: &[u8], output_length: usize) -> Result<Vec<u8>, PrfError> {
        check_output_length(output_length, self.max_output_length())?;
        let mut output = vec![0; output_length];
        self.compute_prf_into(input, &mut output)?;
        Ok(output)
    }
}

/// Refuses an output length over the limit before any memory is allocated for it.
pub(crate) const fn check_output_length(length: usize, limit: usize) -> Result<(), PrfError> {
    if length > limit {
        return Err(PrfError::TooLong { length, limit });
    }
    Ok(())
}

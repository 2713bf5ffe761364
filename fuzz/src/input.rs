//! [`Input`]: the bytes of one input, read as choices.

/// The rest of an input. Where it has ended, every choice is the first one.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Starts with all of the bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Takes a byte.
    pub fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or_default()
    }

    /// Takes two bytes.
    pub fn number(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    /// Takes a number below a bound of at least 1: one byte, or two for a bound above 256.
    pub fn below(&mut self, bound: usize) -> usize {
        let number = match bound {
            ..=256 => usize::from(self.byte()),
            _ => self.number(),
        };
        number % bound
    }

    /// Takes one of a list.
    pub fn one_of<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }

    /// Takes a string of up to 255 bytes, after its length.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        self.0.split_off(..len).unwrap_or_default()
    }

    /// Takes the rest.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Returns whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Changes a copy of some bytes in up to three places. The copy may be equal.
    pub fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut damaged = bytes.to_vec();
        for _ in 0..self.below(4) {
            let kind = self.below(8);
            let at = self.below(damaged.len() + 1);
            match kind {
                0 => damaged.truncate(at),
                1 => damaged.insert(at, self.byte()),
                2 => damaged.extend_from_slice(self.bytes()),
                3 => drop(damaged.drain(..at)),
                4 if at < damaged.len() => drop(damaged.remove(at)),
                5 => damaged.splice(at..at, bytes.iter().copied()).for_each(drop),
                _ if at < damaged.len() => damaged[at] ^= 1 << self.below(8),
                _ => {}
            }
        }
        damaged
    }
}

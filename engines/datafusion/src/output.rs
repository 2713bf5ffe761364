//! [`Output`]: the results of a batch, in one buffer.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, BinaryArray, NullBufferBuilder, StringArray},
        buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    },
    common::exec_err,
    error::Result,
};

pub(crate) struct Output {
    values: Vec<u8>,
    /// Where each row ends; the first entry is 0.
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
    is_too_long: bool,
}

impl Output {
    /// Makes room for `rows` rows with `bytes` bytes in all.
    pub(crate) fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self {
            values: Vec::with_capacity(bytes),
            offsets,
            nulls: NullBufferBuilder::new(rows),
            is_too_long: false,
        }
    }

    /// Adds the row that `write` appends, or NULL if it returns `None`; it must then append nothing.
    pub(crate) fn push<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Option<()>, E>,
    ) -> Result<(), E> {
        let written = write(&mut self.values)?;
        self.nulls.append(written.is_some());
        match i32::try_from(self.values.len()) {
            Ok(end) => self.offsets.push(end),
            Err(_) => self.is_too_long = true,
        }
        Ok(())
    }

    pub(crate) fn binary(self, function: &str) -> Result<ArrayRef> {
        let (offsets, values, nulls) = self.parts(function)?;
        Ok(Arc::new(BinaryArray::try_new(offsets, values, nulls)?))
    }

    pub(crate) fn text(self, function: &str) -> Result<ArrayRef> {
        let (offsets, values, nulls) = self.parts(function)?;
        Ok(Arc::new(StringArray::try_new(offsets, values, nulls)?))
    }

    fn parts(mut self, function: &str) -> Result<Parts> {
        if self.is_too_long {
            return exec_err!(
                "{function}: the results of a batch take more than 2 GiB: make \
                 datafusion.execution.batch_size smaller"
            );
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Ok((offsets, Buffer::from_vec(self.values), self.nulls.finish()))
    }
}

type Parts = (OffsetBuffer<i32>, Buffer, Option<NullBuffer>);

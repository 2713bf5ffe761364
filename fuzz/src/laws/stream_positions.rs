//! Seeks and ranges of a stream, against a `Cursor` over its plaintext.

use std::io::{Cursor, Read as _, Seek as _, SeekFrom};

use keyseal::{
    StreamingAead as _,
    streaming::{RandomAccess, ReadAt as _, SeekableReader},
};

use super::{
    Input,
    small_streams::{MAX_LEN, SmallStream},
};

/// An input is a stream, and seeks, reads and ranges in it.
pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let written = SmallStream::write(&mut input);
    let SmallStream {
        aead,
        plaintext,
        associated_data,
        stream,
    } = &written;
    let opener = || aead.opener(associated_data);
    let reader = SeekableReader::new(opener(), stream.as_slice());
    let mut reader = reader.expect("an unchanged stream opens");
    let access = RandomAccess::new(opener(), stream.as_slice());
    let access = access.expect("an unchanged stream opens");
    let start = stream.len().min(opener().start_size());
    let segments = opener().at(&stream[..start], stream.len() as u64);
    let segments = segments.expect("an unchanged stream opens");
    let mut model = Cursor::new(plaintext.as_slice());
    assert_eq!(reader.len(), plaintext.len() as u64);

    let is_part = |start: usize, end: usize| {
        let plan = segments.map().plan(start as u64..end as u64);
        let range = |range: std::ops::Range<u64>| range.start as usize..range.end as usize;
        let (from, to) = (range(plan.ciphertext()), range(plan.plaintext()));
        if start < end {
            let wanted = start.min(plaintext.len())..end.min(plaintext.len());
            assert_eq!(to, wanted);
        }
        let mut part = b"before".to_vec();
        let done = segments.open_range(&plan, &stream[from], &mut part);
        assert_eq!(done, Ok(()));
        assert_eq!(part, [b"before", &plaintext[to]].concat());
    };
    // Where segments meet, every range of up to two bytes.
    for index in 1..segments.map().segments() {
        let border = segments.map().plaintext(index).start as usize;
        is_part(border - 1, border);
        is_part(border - 1, border + 1);
        is_part(border, border + 1);
    }

    while !input.is_empty() {
        match input.below(4) {
            0 => {
                let by = input.below(2 * MAX_LEN) as i64 - MAX_LEN as i64;
                let to = match input.below(3) {
                    0 => SeekFrom::Start(by.unsigned_abs()),
                    1 => SeekFrom::Current(by),
                    _ => SeekFrom::End(by),
                };
                assert_eq!(reader.seek(to).ok(), model.seek(to).ok(), "{to:?}");
            }
            1 => {
                let len = input.below(MAX_LEN) as u64;
                let (mut read, mut wanted) = (Vec::new(), Vec::new());
                let of_reader = reader.by_ref().take(len).read_to_end(&mut read);
                let of_model = model.by_ref().take(len).read_to_end(&mut wanted);
                assert_eq!(of_reader.ok(), of_model.ok());
                assert_eq!(read, wanted);
            }
            2 => {
                let (position, len) = (input.below(MAX_LEN), input.below(MAX_LEN));
                let mut buffer = vec![0; len];
                let read = access.read_at(&mut buffer, position as u64);
                let wanted = plaintext.iter().copied().skip(position).take(len);
                assert_eq!(read.ok(), Some(wanted.clone().count()));
                assert!(
                    buffer
                        .into_iter()
                        .zip(wanted)
                        .all(|(read, wanted)| read == wanted)
                );
            }
            _ => {
                let (start, end) = (input.below(MAX_LEN), input.below(MAX_LEN));
                is_part(start, end);
            }
        }
    }
}

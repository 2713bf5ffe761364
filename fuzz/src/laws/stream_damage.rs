//! A changed stream never opens to its end, and no wrong byte comes out before the error.

use std::{io::Read as _, num::NonZeroUsize};

use keyseal::{
    StreamingAead as _,
    streaming::{RandomAccess, ReadAt as _, decrypt_slice},
};

use super::{
    Input,
    small_streams::{MAX_LEN, SmallStream},
};

/// An input is a stream, changes of its segments, of its bytes and of its associated data, and a
/// range.
pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let written = SmallStream::write(&mut input);
    let in_segments = change_segments(&mut input, &written);
    let damaged = input.damage(&in_segments);
    let associated_data = input.damage(&written.associated_data);
    if damaged == written.stream && associated_data == written.associated_data {
        return;
    }
    let SmallStream {
        aead, plaintext, ..
    } = &written;
    let opener = || aead.opener(&associated_data);

    let mut read = Vec::new();
    let mut reader = aead.decrypting_reader(damaged.as_slice(), &associated_data);
    assert!(
        reader.read_to_end(&mut read).is_err(),
        "a changed stream opens"
    );
    assert!(plaintext.starts_with(&read), "a wrong byte came out");
    assert!(decrypt_slice(opener(), &damaged, NonZeroUsize::MIN).is_err());

    let Ok(access) = RandomAccess::new(opener(), damaged.as_slice()) else {
        return;
    };
    assert_eq!(
        access.len(),
        plaintext.len() as u64,
        "another end was authenticated"
    );
    let mut all = vec![0; plaintext.len()];
    assert!(access.read_exact_at(&mut all, 0).is_err());
    let (position, len) = (input.below(MAX_LEN), input.below(MAX_LEN));
    let mut part = vec![0; len];
    if let Ok(len) = access.read_at(&mut part, position as u64) {
        let wanted = plaintext.iter().skip(position).take(len);
        assert!(part[..len].iter().eq(wanted), "a wrong part came out");
    }
}

/// Drops, repeats and swaps whole segments.
fn change_segments(input: &mut Input<'_>, written: &SmallStream) -> Vec<u8> {
    let stream = &written.stream;
    let map = written.aead.layout().map(stream.len() as u64);
    let map = map.expect("a stream has the length of a stream");
    // The header stays where it is: it is before the first segment.
    let segment = |index| {
        map.segment(index)
            .map_or(0..0, |one| one.start as usize..one.end as usize)
    };
    let header = stream[..segment(0).start].to_vec();
    let mut segments: Vec<&[u8]> = (0..map.segments())
        .map(|index| &stream[segment(index)])
        .collect();
    for _ in 0..input.below(3) {
        let (kind, at, to) = (
            input.below(4),
            input.below(segments.len()),
            input.below(segments.len()),
        );
        match kind {
            0 => segments.truncate(at + 1),
            1 => segments.insert(to, segments[at]),
            2 => segments.swap(at, to),
            _ if segments.len() > 1 => drop(segments.remove(at)),
            _ => {}
        }
    }
    [header, segments.concat()].concat()
}

//! Streams give back their plaintext, in whatever parts they are written and read.

use std::{io::Read as _, num::NonZeroUsize};

use keyseal::{
    StreamingAead as _,
    streaming::{decrypt_slice, encrypt_slice},
};

use super::{
    Input,
    small_streams::{InParts, SmallStream},
};

/// An input is a stream, the size in which the source gives it, and the sizes of reads.
pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let written = SmallStream::write(&mut input);
    let SmallStream {
        aead,
        plaintext,
        associated_data,
        stream,
    } = &written;
    let source = InParts {
        inner: stream.as_slice(),
        part: 1 + input.below(256),
        interrupted: false,
    };
    let mut reader = aead.decrypting_reader(source, associated_data);
    let mut read = Vec::new();
    loop {
        let mut buffer = vec![0; 1 + input.below(256)];
        let len = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::Interrupted);
                continue;
            }
        };
        read.extend_from_slice(&buffer[..len]);
    }
    assert_eq!(read, *plaintext);

    // In memory, the same by two threads.
    let threads = NonZeroUsize::MIN.saturating_add(input.below(2));
    let opened = decrypt_slice(aead.opener(associated_data), stream, threads);
    assert_eq!(opened.as_ref(), Ok(plaintext));
    let sealer = aead
        .sealer(associated_data)
        .expect("the system has randomness");
    let sealed = encrypt_slice(sealer, plaintext, threads).expect("it is short");
    let mut read = Vec::new();
    let mut reader = aead.decrypting_reader(sealed.as_slice(), associated_data);
    reader.read_to_end(&mut read).expect("it was sealed whole");
    assert_eq!(read, *plaintext);
}

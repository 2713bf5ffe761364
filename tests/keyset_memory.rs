//! Reading a keyset takes at most 8 times the bytes of the input plus 1 MiB, whatever it says.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "a test that watches the allocator"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use keyseal::{
    Aead, Key, KeyId, KeysetAead, KeysetHandle, SecretAccess,
    keyset::{Format, KeysetFile, Protection, TextForm, lint, lint_encrypted},
};

const MIB: usize = 1 << 20;

struct Peak;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Peak {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending counts no more.
        let _ = LIVE.try_with(|live| {
            live.set(live.get().saturating_add(layout.size()));
            let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
        });
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let _ = LIVE.try_with(|live| live.set(live.get().saturating_sub(layout.size())));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Peak = Peak;

/// Returns the most bytes that `read` has at once.
fn peak_of(read: &dyn Fn()) -> usize {
    let before = LIVE.get();
    PEAK.set(before);
    read();
    PEAK.get() - before
}

/// Repeats `piece` up to about `size` bytes, with a comma in between.
fn list(piece: &str, size: usize) -> String {
    let mut text = format!("{piece},").repeat(size / (piece.len() + 1));
    text.pop();
    text
}

/// Writes a length-delimited field.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut message = vec![number << 3 | 2];
    let mut len = value.len();
    while len >= 0x80 {
        message.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
        len >>= 7;
    }
    message.push(u8::try_from(len).unwrap());
    [&message, value].concat()
}

fn hostile_json(size: usize) -> Vec<String> {
    let key =
        |data: &str| format!("{{\"keyData\":{{{data}}},\"status\":1,\"outputPrefixType\":1}}");
    let base64 = "QUJD".repeat(size / 4);
    vec![
        format!("{{\"key\":[{}]}}", list("{}", size)),
        format!("{{\"key\":[{}]}}", list("0", size)),
        format!(
            "{{{}}}",
            list(&format!("\"key\":[{}]", list("{}", 3 * 4096)), size)
        ),
        format!(
            "{{\"keysetInfo\":{{{}}}}}",
            list(&format!("\"keyInfo\":[{}]", list("{}", 3 * 4096)), size)
        ),
        format!("{{\"key\":[{}]}}", list(r#"{"keyData":{}}"#, size)),
        format!(
            "{{\"key\":[{}]}}",
            list(r#"{"status":3,"outputPrefixType":3}"#, size)
        ),
        format!(
            "{{\"encryptedKeyset\":\"AAAA\",\"keysetInfo\":{{\"keyInfo\":[{}]}}}}",
            list("{}", size)
        ),
        format!("{{{}}}", list("\"x\":0", size)),
        format!("{{{}}}", list("\"primary_key_id\":0", size)),
        format!("{{\"x\":[{}]}}", list("[{\"\":[]}]", size)),
        format!("{{\"x\":{}", "[".repeat(size)),
        format!("{{\"primaryKeyId\":1e{}}}", "9".repeat(size)),
        format!(
            "{{\"primaryKeyId\":{}e-{size}}}",
            "1".to_owned() + &"0".repeat(size)
        ),
        format!(
            "{{\"key\":[{}]}}",
            key(&format!("\"typeUrl\":\"{}\"", r"\u0001".repeat(size / 6)))
        ),
        format!(
            "{{\"key\":[{}]}}",
            key(&format!("\"value\":\"{base64}\",\"keyMaterialType\":1"))
        ),
        format!("{{\"key\":[{}]}}", key(&format!("\"value\":\"{base64}!\""))),
        format!(
            "{{\"key\":[{}]}}",
            key(&format!("\"value\":\"{}\"", r"\u0041".repeat(size / 6)))
        ),
        format!("{{\"encryptedKeyset\":\"{base64}\"}}"),
        format!("[{}]", list("{}", size)),
        format!("\"{}\"", r#"{\"key\":1}"#.repeat(size / 11)),
        base64,
        "4a".repeat(size / 2),
        "1200".repeat(size / 4),
        "EgA".repeat(size / 3),
        " ".repeat(size),
    ]
}

fn hostile_binary(size: usize) -> Vec<Vec<u8>> {
    let destroyed = field(2, &[0x10, 3, 0x20, 1]);
    let type_url = b"type.googleapis.com/google.crypto.tink.HmacKey";
    let hmac = [vec![0x12, 4, 8, 3, 0x10, 16], field(3, &vec![0xaa; size])].concat();
    let data = [field(1, type_url), field(2, &hmac), vec![0x18, 1]].concat();
    let one = [
        vec![0x08, 7],
        field(
            2,
            &[field(1, &data), vec![0x10, 1, 0x18, 7, 0x20, 1]].concat(),
        ),
    ]
    .concat();
    let info = field(3, &field(2, &[]));
    vec![
        [0x12, 0].repeat(size / 2),
        field(2, &[0x10, 1]).repeat(size / 4),
        destroyed.repeat(size / destroyed.len()),
        field(2, &field(1, &field(1, b"type"))).repeat(size / 10),
        [vec![0x12, 1, 0], info.repeat(size / info.len())].concat(),
        [vec![0x12, 1, 0], field(3, &[0x12, 0].repeat(size / 2))].concat(),
        // A field of a wrong wire type at each level makes for a copy.
        [b"\x0a\x00", &one[..]].concat(),
        one,
        [0x0b].repeat(size),
        vec![0x12; size],
    ]
}

/// Keysets that are read: as many keys as there can be, the smallest and the usual ones.
fn largest() -> Vec<Vec<u8>> {
    let access = SecretAccess::insecure();
    let mut keyset = KeysetHandle::generate("AES128_GCM").unwrap();
    let key = Key::generate("AES256_GCM").unwrap();
    for id in 1.. {
        if keyset.len() == KeysetHandle::MAX_KEYS {
            break;
        }
        let _ = keyset.add_with_id(key.clone(), KeyId::new(id));
    }
    let mut files: Vec<Vec<u8>> = [Format::Binary, Format::Json]
        .map(|format| {
            keyset
                .write_cleartext(format, access)
                .expose(access)
                .to_vec()
        })
        .into();
    let one = KeysetHandle::generate("AES128_GCM").unwrap();
    let mut small = one
        .write_cleartext(Format::Binary, access)
        .expose(access)
        .to_vec();
    let taken = one.primary_id().value();
    for id in (1..=0x3fff_u16)
        .filter(|id| u32::from(*id) != taken)
        .take(KeysetHandle::MAX_KEYS - 1)
    {
        let [low, high] = [(id & 0x7f) | 0x80, id >> 7].map(|byte| u8::try_from(byte).unwrap());
        small.extend(field(2, &[0x10, 3, 0x18, low, high, 0x20, 1]));
    }
    files.push(small);
    files
}

fn check(input: &[u8], kek: &KeysetAead) {
    let access = SecretAccess::insecure();
    let encrypted: Vec<u8> = kek.encrypt(input, b"").unwrap();
    let encrypted = field(2, &encrypted);
    for format in [Format::Binary, Format::Json] {
        let readers: [(&str, &dyn Fn()); 8] = [
            ("cleartext", &|| {
                drop(KeysetHandle::read_cleartext(input, format, access))
            }),
            ("encrypted", &|| {
                drop(KeysetHandle::read_encrypted(input, format, kek, b""))
            }),
            ("inside", &|| {
                drop(KeysetHandle::read_encrypted(
                    &encrypted,
                    Format::Binary,
                    kek,
                    b"",
                ));
            }),
            ("no secret", &|| {
                drop(KeysetHandle::read_no_secret(input, format))
            }),
            ("recognize", &|| drop(KeysetFile::detect(input))),
            ("guess", &|| {
                let _ = (Protection::guess(input), TextForm::of(input));
            }),
            ("lint", &|| drop(lint(input))),
            ("lint inside", &|| {
                drop(lint_encrypted(&encrypted, kek, b""))
            }),
        ];
        for (name, read) in readers {
            let peak = peak_of(read);
            let start: String = input.escape_ascii().take(60).map(char::from).collect();
            assert!(
                peak <= 8 * input.len() + MIB,
                "{name}, {format:?}, {} bytes of {start}: {peak} bytes",
                input.len()
            );
        }
    }
}

fn kek() -> KeysetAead {
    KeysetHandle::generate("AES128_GCM")
        .unwrap()
        .primitive()
        .unwrap()
}

fn check_all<T: AsRef<[u8]>>(hostile: fn(usize) -> Vec<T>) {
    let kek = kek();
    for size in [1000, 12_000, MIB] {
        for input in hostile(size) {
            check(input.as_ref(), &kek);
        }
    }
}

#[test]
fn a_hostile_json_file_takes_memory_in_proportion_to_its_size() {
    check_all(hostile_json);
}

#[test]
fn a_hostile_binary_file_takes_memory_in_proportion_to_its_size() {
    check_all(hostile_binary);
}

#[test]
fn the_largest_keysets_are_read_and_take_memory_in_proportion_to_their_size() {
    let access = SecretAccess::insecure();
    for file in largest() {
        let read = KeysetHandle::read_cleartext(&file, Format::detect(&file), access).unwrap();
        assert_eq!(read.len(), KeysetHandle::MAX_KEYS);
        check(&file, &kek());
    }
}

#[test]
fn no_key_is_added_that_would_make_the_keyset_unreadable() {
    let access = SecretAccess::insecure();
    let file = largest().remove(0);
    let mut keyset = KeysetHandle::read_cleartext(&file, Format::Binary, access).unwrap();
    let error = keyset
        .add(Key::generate("AES128_GCM").unwrap())
        .unwrap_err();
    assert_eq!(error, keyseal::KeysetError::TooManyKeys);
    assert!(
        error
            .to_string()
            .contains(&KeysetHandle::MAX_KEYS.to_string())
    );
    assert_eq!(keyset.len(), KeysetHandle::MAX_KEYS);
}

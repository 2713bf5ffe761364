//! Encrypted keysets: an unchanged one opens, and a changed one never opens as another keyset.

use std::sync::LazyLock;

use keyseal::{
    Aead as _, KeysetAead, KeysetHandle,
    keyset::{Format, KeysetFile, Protection},
};

use super::{Input, keys};

static KEK: LazyLock<KeysetAead> = LazyLock::new(keys::kek);

static KEYSETS: LazyLock<[KeysetHandle; 5]> = LazyLock::new(|| {
    let templates = [
        "AES256_GCM",
        "AES128_CTR_HMAC_SHA256_RAW",
        "HMAC_SHA256_128BITTAG",
    ];
    let [first, second, third] = templates.map(|template| keys::keyset(template, 7));
    let mut many = first.clone();
    for template in ["AES128_GCM", "AES128_EAX_RAW", "XCHACHA20_POLY1305"] {
        many.add(keys::key(template, 8))
            .expect("they are all AEADs");
    }
    let mut rotated = first.clone();
    rotated
        .rotate(keys::key("AES256_GCM", 9))
        .expect("it is of the same type");
    rotated
        .destroy(first.primary_id())
        .expect("it is not the primary key any more");
    [first, second, third, many, rotated]
});

/// An input is a format, a keyset, associated data, and either a forged file or changes of the
/// associated data, of the ciphertext and of the file.
pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let format = [Format::Binary, Format::Json][input.below(2)];
    let is_strange = input.below(8) == 7;
    let keyset = input.one_of(&*KEYSETS);
    let associated_data = input.bytes();
    let open = |bytes: &[u8], format, associated_data| {
        KeysetHandle::read_encrypted(bytes, format, &*KEK, associated_data).ok()
    };
    if is_strange {
        let bytes = input.rest();
        let _ = KeysetFile::detect(bytes);
        assert!(open(bytes, format, associated_data).is_none());
        return;
    }
    let is_same = |opened: &KeysetHandle| {
        let bytes = |keyset: &KeysetHandle| keyset.write_cleartext(Format::Binary, keys::ACCESS);
        bytes(opened) == bytes(keyset)
    };
    let file = keyset.write_encrypted(format, &*KEK, associated_data);
    let file = file.expect("the KEK encrypts");
    assert!(
        open(&file, format, associated_data)
            .as_ref()
            .is_some_and(is_same)
    );
    let detected = KeysetFile::detect(&file).expect("it was just written");
    assert_eq!(
        (detected.format(), detected.protection()),
        (format, Protection::Encrypted)
    );

    let other = input.damage(associated_data);
    if other != associated_data {
        assert!(open(&file, format, &other).is_none());
    }
    // The ciphertext alone, as field 2 of the binary message.
    let cleartext = keyset.write_cleartext(Format::Binary, keys::ACCESS);
    let ciphertext = KEK.encrypt(cleartext.expose(keys::ACCESS), associated_data);
    let ciphertext = ciphertext.expect("it is short");
    let in_file = |ciphertext: &[u8]| {
        let (low, high) = (ciphertext.len() % 128, ciphertext.len() / 128);
        assert!(high < 128, "the length has two digits");
        [&[0x12, low as u8 | 0x80, high as u8], ciphertext].concat()
    };
    let opened = open(&in_file(&ciphertext), Format::Binary, associated_data);
    assert!(opened.as_ref().is_some_and(is_same));
    let damaged = input.damage(&ciphertext);
    if damaged != ciphertext {
        assert!(open(&in_file(&damaged), Format::Binary, associated_data).is_none());
    }
    // Everything around the ciphertext can be written in more ways than one.
    let damaged = input.damage(&file);
    assert!(
        open(&damaged, format, associated_data)
            .as_ref()
            .is_none_or(is_same)
    );
}

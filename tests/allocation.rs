//! A small input makes readers and openers allocate little, whatever it claims.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_wrap,
    reason = "a test that watches the allocator"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fmt::Display,
    io::{self, Read as _, Write as _},
    num::NonZeroUsize,
    task::{Context, Waker},
};

use keyseal::{
    Key, KeyTypes, KeysetAead, KeysetHandle, KeysetPrfSet, KeysetStreamingAead, KmsEnvelopeAead,
    RemoteAead as _, SealedStreamHeader, SecretAccess, StreamingAead as _, Variant,
    key::{KeyTemplate, aes_gcm_hkdf_streaming::AesGcmHkdfStreamingParameters},
    keyset::{self, Format, KeysetFile},
    kms::LocalAead,
    streaming::{self, RandomAccess, ReadAt, SeekableReader, StreamLayout, WriteAt},
};

/// Bytes that a reader may ask for, all together, for an input of at most 100.
const MAX: usize = 64 << 10;

struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
    /// The bytes allocated and not yet freed, and their maximum.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending counts no more.
        let _ = ASKED.try_with(|asked| asked.set(asked.get().saturating_add(layout.size())));
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

fn count(change: isize) {
    let _ = LIVE.try_with(|live| {
        live.set(live.get().saturating_add(change));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_hundred_bytes_never_allocate_a_megabyte() {
    let kek: KeysetAead = KeysetHandle::generate("AES128_GCM_RAW")
        .unwrap()
        .primitive()
        .unwrap();
    let binary = KeysetHandle::generate("AES128_GCM")
        .unwrap()
        .write_cleartext(Format::Binary, SecretAccess::insecure());
    let binary = binary.expose(SecretAccess::insecure());
    assert!(binary.len() <= 100);
    let mut inputs = vec![
        // Lengths and sizes that promise far more than there is.
        vec![0x12, 0xff, 0xff, 0xff, 0xff, 0x0f],
        vec![0x0a, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        [0x12, 0].repeat(50),
        [0x13].repeat(100),
        b"[".repeat(100),
        b"{\"key\":".repeat(14),
        b"{\"key\":[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]}"
            .to_vec(),
    ];
    for at in 0..binary.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = binary.to_vec();
            changed[at] ^= change;
            inputs.push(changed);
        }
    }
    for input in &inputs {
        assert!(input.len() <= 100);
        for format in [Format::Binary, Format::Json] {
            let access = SecretAccess::insecure();
            let readers: [&dyn Fn(); 5] = [
                &|| drop(KeysetHandle::read_cleartext(input, format, access)),
                &|| drop(KeysetHandle::read_encrypted(input, format, &kek, b"")),
                &|| drop(KeysetHandle::read_no_secret(input, format)),
                &|| drop(KeysetFile::detect(input)),
                &|| drop(keyset::lint(input)),
            ];
            for (which, read) in readers.iter().enumerate() {
                ASKED.set(0);
                read();
                let asked = ASKED.get();
                assert!(asked <= MAX, "reader {which}, {input:02x?}: {asked} bytes");
            }
        }
    }
}

/// Sizes that nothing here has, and those of streams that end in the middle of nowhere.
const CLAIMS: [u64; 9] = [
    0,
    100,
    4096,
    (1 << 31) - 1,
    12 << 30,
    1 << 40,
    (1 << 62) - 1,
    u64::MAX - 1,
    u64::MAX,
];

/// A source that claims a size, and a sink that takes all.
struct Claims {
    bytes: Vec<u8>,
    size: u64,
}

impl ReadAt for Claims {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.bytes.read_at(buf, position)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

impl WriteAt for Claims {
    fn write_at(&self, buf: &[u8], _position: u64) -> io::Result<usize> {
        Ok(buf.len())
    }
}

/// Checks a call's peak memory: the amount its input explains, and a mebibyte.
fn within(input: usize, what: impl Display, call: impl FnOnce()) {
    LIVE.set(0);
    PEAK.set(0);
    call();
    let peak = usize::try_from(PEAK.get()).unwrap_or(0);
    assert!(
        peak <= 8 * input + (1 << 20),
        "{what}: {peak} bytes for {input}"
    );
}

/// Keys of small segments, of the largest, and of both.
fn streams() -> Vec<KeysetStreamingAead> {
    let gcm = |segment| {
        let parameters = AesGcmHkdfStreamingParameters::new(16, segment).unwrap();
        Key::generate_with(&parameters, Variant::Raw).unwrap()
    };
    let (small, large) = (gcm(4096), gcm(StreamLayout::MAX_SEGMENT_SIZE));
    let mut both = KeysetHandle::new(small.clone()).unwrap();
    both.add(large.clone()).unwrap();
    let mut turned = KeysetHandle::new(large.clone()).unwrap();
    turned.add(small.clone()).unwrap();
    let [small, large] = [small, large].map(|key| KeysetHandle::new(key).unwrap());
    [small, large, both, turned]
        .map(|keyset| keyset.primitive().unwrap())
        .into()
}

#[test]
fn no_size_that_a_stream_only_claims_takes_memory() {
    let one = NonZeroUsize::MIN;
    for (number, aead) in streams().iter().enumerate() {
        let sealed = streaming::encrypt_slice(aead.sealer(b"").unwrap(), &[7; 100], one).unwrap();
        for bytes in [&sealed[..], &sealed[..50], &sealed[..24], &[24; 3], &[]] {
            for size in CLAIMS {
                let source = || Claims {
                    bytes: bytes.to_vec(),
                    size,
                };
                let opener = || aead.opener(b"");
                let calls: [(&str, &dyn Fn()); 7] = [
                    ("RandomAccess", &|| {
                        drop(RandomAccess::new(opener(), source()))
                    }),
                    ("SeekableReader", &|| {
                        if let Ok(mut reader) = SeekableReader::new(opener(), source()) {
                            let _ = reader.read(&mut [0; 10]);
                        }
                    }),
                    ("decrypt_parallel", &|| {
                        let (from, to) = (source(), source());
                        let _ = streaming::decrypt_parallel(opener(), &from, &to, one);
                    }),
                    ("encrypt_parallel", &|| {
                        let (from, to) = (source(), source());
                        let sealer = aead.sealer(b"").unwrap();
                        let _ = streaming::encrypt_parallel(sealer, &from, &to, one);
                    }),
                    ("SegmentOpener", &|| {
                        let Ok(opener) = opener().at(bytes, size) else {
                            return;
                        };
                        for range in [0..1, 0..size, size / 2..size, size..size] {
                            let plan = opener.map().plan(range);
                            let mut out = Vec::new();
                            let _ = opener.clone().open_range(&plan, bytes, &mut out);
                            let _ = opener.open_range_to(&plan, bytes, &mut [0; 10]);
                        }
                    }),
                    ("Opener", &|| {
                        let mut out = Vec::new();
                        let _ = opener().open(bytes, &mut out);
                        let _ = opener().open_last(bytes, &mut out);
                        let _ = streaming::decrypt_slice(opener(), bytes, one);
                    }),
                    ("DecryptingReader", &|| {
                        let mut out = Vec::new();
                        let _ = aead.decrypting_reader(bytes, b"").read_to_end(&mut out);
                    }),
                ];
                for (name, call) in calls {
                    let what = format!("{name}, keys {number}, {size} of {} bytes", bytes.len());
                    within(bytes.len(), what, call);
                }
            }
        }
        within(100, format!("writing with keys {number}"), || {
            let mut writer = aead.encrypting_writer(Vec::new(), b"").unwrap();
            writer.write_all(&[7; 100]).unwrap();
            writer.finish().unwrap();
            streaming::encrypt_slice(aead.sealer(b"").unwrap(), &[7; 100], one).unwrap();
        });
    }
}

#[test]
fn no_length_in_front_of_something_takes_memory() {
    let kek: KeysetAead = KeysetHandle::generate("AES128_GCM_RAW")
        .unwrap()
        .primitive()
        .unwrap();
    let envelope = KmsEnvelopeAead::new(LocalAead::new(kek), "AES128_GCM").unwrap();
    for length in [0, 1, 4096, 4097, 65_536, 65_537, 1 << 20, u32::MAX] {
        let header = [b"keyseal\x01", &length.to_be_bytes()[..], &[7; 20]].concat();
        for end in 0..header.len() {
            let header = &header[..end];
            within(header.len(), format!("a header of {length}"), || {
                drop(SealedStreamHeader::parse(header));
                drop(SealedStreamHeader::read_from(&mut &*header));
                drop(SealedStreamHeader::size_of(header));
            });
        }
        let ciphertext = [&length.to_be_bytes()[..], &[7; 60]].concat();
        within(ciphertext.len(), format!("an envelope of {length}"), || {
            let mut context = Context::from_waker(Waker::noop());
            let mut future = envelope.decrypt(&ciphertext, b"");
            assert!(future.as_mut().poll(&mut context).is_ready());
        });
    }
}

#[test]
fn no_size_that_a_template_or_a_caller_asks_for_takes_memory() {
    for size in [1_u32 << 21, 1 << 30, u32::MAX] {
        // A key size is field 1, 2 or 3 of every key format that has one.
        for field in [0x08, 0x10, 0x18] {
            let mut format = vec![field];
            let mut rest = size;
            while rest > 0x7f {
                format.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
                rest >>= 7;
            }
            format.push(u8::try_from(rest).unwrap());
            for key_type in KeyTypes::default().iter() {
                for template in key_type.templates() {
                    // The last value of a field counts.
                    let template = template.key_template();
                    let value = [template.value(), &format].concat();
                    let input = value.len();
                    let hostile = KeyTemplate::new(template.type_url(), value, Variant::Raw);
                    within(input, format!("{hostile:?}, {size}"), || {
                        drop(KeyTypes::default().generate_from(&hostile));
                    });
                }
            }
        }
    }
    let prf: KeysetPrfSet = KeysetHandle::generate("HKDF_SHA256")
        .unwrap()
        .primitive()
        .unwrap();
    for length in [1 << 21, 1 << 40, usize::MAX] {
        within(5, format!("{length} bytes of a PRF"), || {
            drop(prf.primary().compute_prf(b"input", length));
        });
    }
}

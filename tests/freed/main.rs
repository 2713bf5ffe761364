//! No key outlives its owner: not in a block that is freed, and not in the process's memory.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::type_complexity,
    clippy::let_unit_value,
    reason = "tests"
)]
mod allocator;
#[cfg(all(feature = "cache", target_os = "linux"))]
mod cache;
#[path = "../canary/mod.rs"]
mod canary;
mod expanded;
mod life;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod message_keys;
mod needles;

use std::{
    collections::BTreeSet,
    hint::black_box,
    sync::{
        Barrier, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
};

use canary::{Canary, generate};
use keyseal::{Key, KeyTypes, KeysetAead, Provider, key::Template};
use zeroize::{Zeroize as _, Zeroizing};

/// The allocator is one for all tests, so they come one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    needles::clear();
    allocator::take_hits();
    guard
}

/// Polls once, and expects the end.
#[cfg(feature = "cache")]
fn at_once<F: Future>(future: F) -> F::Output {
    use std::task::{Context, Poll, Waker};

    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Overwrites the part of the stack that callees of the caller have used.
#[inline(never)]
fn wipe_stack() {
    let mut frame = [0_u128; 1 << 12];
    frame.zeroize();
    black_box(&frame);
}

/// Every key type with each of its parameters, without regard to output prefixes.
fn templates() -> Vec<Template> {
    let mut seen = BTreeSet::new();
    let mut templates: Vec<Template> = KeyTypes::default().templates().collect();
    templates.retain(|template| {
        let template = template.key_template();
        seen.insert((template.type_url().to_owned(), template.value().to_owned()))
    });
    assert!(templates.len() >= 12);
    templates
}

/// Runs `work` in its own thread, so that no stale stack of another gets into its blocks.
fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(work).join().unwrap()
}

#[test]
fn the_scan_finds_a_key_that_is_freed_as_bytes_or_as_text() {
    let _alone = alone();
    let secret: Vec<u8> = (0..32).map(|at| 0x80 | (at * 5)).collect();
    needles::add(&secret);
    assert!(needles::count() > 25);
    drop(vec![7_u8; 10_000]);
    assert_eq!(allocator::take_hits(), 0);

    let forms: [fn(&[u8]) -> Vec<u8>; 10] = [
        |secret| secret.to_vec(),
        |secret| [&[1, 2, 3], &secret[9..17], &[4; 50]].concat(),
        |secret| hex::encode(secret).into_bytes(),
        |secret| hex::encode_upper(secret).into_bytes(),
        |secret| base64(secret, 0),
        |secret| base64(secret, 1),
        |secret| base64(secret, 2),
        |secret| secret.iter().map(|byte| byte ^ 0x36).collect(),
        |secret| expanded::of(secret).first().unwrap().to_vec(),
        |secret| expanded::of(secret).last().unwrap().to_vec(),
    ];
    for (at, form) in forms.into_iter().enumerate() {
        drop(form(&secret));
        assert!(allocator::take_hits() > 0, "form {at}");
        // Seven bytes are not enough to know it by.
        drop(secret[3..10].to_vec());
        assert_eq!(allocator::take_hits(), 0);
    }
    let mut grown = secret.clone();
    grown.reserve_exact(1000);
    assert_eq!(
        allocator::take_hits(),
        1,
        "the old block of a vector that grew"
    );
    grown.zeroize();
    drop(grown);
    assert_eq!(allocator::take_hits(), 0);

    let kept = allocator::keep_while(|| drop(secret.clone()), |()| needles::add(&secret));
    assert_eq!((kept, allocator::take_hits()), ((), 1));
}

fn base64(secret: &[u8], before: usize) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let bytes = [&[0; 2][..before], secret].concat();
    let text = STANDARD.encode(&bytes).into_bytes();
    allocator::take_hits();
    text
}

#[test]
fn no_freed_block_holds_an_imported_key() {
    let _alone = alone();
    let mut leaks = Vec::new();
    for (seed, template) in templates().into_iter().enumerate() {
        for (name, step) in life::STEPS {
            needles::clear();
            let canary = Canary::of(&template, 0xc0ffee + seed as u64);
            canary.secrets().for_each(needles::add);
            allocator::take_hits();
            in_thread(move || step(&canary));
            leaks.push((template.name(), *name, allocator::take_hits()));
        }
    }
    assert!(allocator::scanned() > 1_000_000);
    leaks.retain(|(.., hits)| *hits > 0);
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn no_freed_block_holds_a_generated_key() {
    let _alone = alone();
    let mut leaks = Vec::new();
    for template in templates() {
        needles::clear();
        let learned = template.clone();
        let keyset = allocator::keep_while(
            || in_thread(move || generate(&learned)),
            |keyset| {
                Canary::generated(&template, keyset)
                    .secrets()
                    .for_each(needles::add)
            },
        );
        in_thread(move || life::use_and_drop(keyset));
        leaks.push((template.name(), allocator::take_hits()));
    }
    leaks.retain(|(_, hits)| *hits > 0);
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// A cipher may write plaintext before it knows that the tag is wrong.
#[test]
fn no_freed_block_holds_a_plaintext_that_was_refused_or_moved() {
    let _alone = alone();
    let secret: Zeroizing<Vec<u8>> =
        Zeroizing::new((0..100).map(|at: u8| 0x80 | at.wrapping_mul(37)).collect());
    needles::add(&secret);
    allocator::take_hits();
    let mut seen = 0;
    for template in templates() {
        let mut keyset = generate(&template);
        for keys in 1..=2 {
            for &provider in Provider::ALL {
                let Ok(aead) = keyset.primitive_with::<KeysetAead>(provider) else {
                    continue;
                };
                seen += 1;
                life::refuse_plaintext(&aead, &secret);
                assert_eq!(
                    allocator::take_hits(),
                    0,
                    "{} {provider:?} {keys}",
                    template.name()
                );
            }
            // Beside a raw key, a ciphertext has two keys that may open it.
            keyset
                .add_of_any_kind(Key::generate("AES128_GCM_RAW").unwrap())
                .unwrap();
        }
    }
    assert!(seen >= 24);
}

/// Ciphers leave parts of a key on the stack; see `on_wiped_stack` in `src/secret.rs`.
#[test]
#[cfg(target_os = "linux")]
fn the_memory_of_the_process_holds_no_key_after_the_last_drop() {
    fn all(canary: &Canary) {
        life::STEPS.iter().for_each(|(_, step)| step(canary));
    }
    let _alone = alone();
    let mut leaks = Vec::new();
    let steps: [life::Step; 3] = [
        ("everything", all),
        ("make a primitive", life::make_primitive),
        ("one message", life::one_message_each),
    ];
    for (seed, template) in templates().into_iter().enumerate() {
        for (name, step) in steps {
            needles::clear();
            let canary = Canary::of(&template, 0xfeed + seed as u64);
            canary.secrets().for_each(needles::add);
            // The thread waits until its stack has been looked at.
            let (finished, is_finished) = mpsc::channel();
            let (looked, has_looked) = mpsc::channel::<()>();
            let worker = thread::spawn(move || {
                step(&canary);
                drop(canary);
                finished.send(()).unwrap();
                has_looked.recv().unwrap();
            });
            is_finished.recv().unwrap();
            for (mapping, count) in memory::find_all() {
                leaks.push(format!("{}, {name}: {count} in {mapping}", template.name()));
            }
            looked.send(()).unwrap();
            worker.join().unwrap();
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
#[cfg(target_os = "linux")]
fn making_a_primitive_leaves_nothing_on_the_stack() {
    let _alone = alone();
    for (seed, template) in templates().into_iter().enumerate() {
        for &provider in Provider::ALL {
            needles::clear();
            let canary = Canary::of(&template, 0xdecade + seed as u64);
            canary.secrets().for_each(needles::add);
            let found = found_after(canary, provider, |_| ());
            assert!(
                found.is_empty(),
                "{} {provider:?}: {found:?}",
                template.name()
            );
        }
    }
}

/// Nor does a message: each cipher wipes its working memory before it returns.
#[test]
#[cfg(target_os = "linux")]
fn a_message_leaves_nothing_on_the_stack() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    fn messages(primitive: &life::Used) {
        SEEN.fetch_add(1, Relaxed);
        life::messages(primitive);
    }
    let _alone = alone();
    let mut leaks = Vec::new();
    for (seed, template) in templates().into_iter().enumerate() {
        for &provider in Provider::ALL {
            needles::clear();
            let canary = Canary::of(&template, 0xfacade + seed as u64);
            canary.secrets().for_each(needles::add);
            for found in found_after(canary, provider, messages) {
                leaks.push(format!("{} {provider:?}: {found:?}", template.name()));
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    assert!(SEEN.load(Relaxed) > 15 * Provider::ALL.len());
}

/// Nor do the keys stay that some ciphers derive for one message.
#[test]
#[cfg(target_os = "linux")]
fn a_message_leaves_no_key_of_its_own_on_the_stack() {
    let _alone = alone();
    let mut leaks = Vec::new();
    for (name, derive) in message_keys::DERIVED {
        let template = KeyTypes::default().template(name).unwrap();
        let prefix_len = template.overhead() - template.properties().overhead;
        for (provider, len) in Provider::ALL
            .iter()
            .flat_map(|&provider| [16, 5000].map(|len| (provider, len)))
        {
            needles::clear();
            let canary = Canary::of(&template, 0xca5e + len as u64);
            let ciphertext = thread::scope(|scope| {
                let (encrypted, is_encrypted) = mpsc::channel();
                let (looked, has_looked) = mpsc::channel::<()>();
                let canary = &canary;
                scope.spawn(move || {
                    let ciphertext = life::encrypt(canary, provider, len);
                    encrypted.send(ciphertext).unwrap();
                    has_looked.recv().unwrap();
                });
                let ciphertext: Vec<u8> = is_encrypted.recv().unwrap();
                needles::add_made(|| {
                    let key = canary.secrets().next().unwrap();
                    derive(key, &ciphertext[prefix_len..])
                });
                assert!(needles::count() > 0);
                for found in memory::find_all() {
                    leaks.push(format!("{name} {provider:?}, encrypt {len}: {found:?}"));
                }
                looked.send(()).unwrap();
                ciphertext
            });
            let decrypt = |primitive: &life::Used| life::decrypt(primitive, &ciphertext);
            for found in found_after(canary, provider, decrypt) {
                leaks.push(format!("{name} {provider:?}, decrypt {len}: {found:?}"));
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// A search of stacks that cannot fail would be worth nothing.
#[test]
#[cfg(target_os = "linux")]
fn the_search_of_stacks_finds_a_key_that_one_message_left() {
    #[inline(never)]
    fn careless(_: &life::Used) {
        // At the far end of a large frame, where the next calls do not reach.
        let mut frame = [0_u8; 8 << 10];
        frame[..32].copy_from_slice(black_box(&CARELESS));
        black_box(&frame);
    }
    let _alone = alone();
    let template = KeyTypes::default().template("AES256_GCM").unwrap();
    let canary = Canary::of(&template, 0xbad);
    needles::add(&CARELESS);
    assert!(!found_after(canary, Provider::RustCrypto, careless).is_empty());
}

#[cfg(target_os = "linux")]
static CARELESS: [u8; 32] = *b"thirty-two bytes, left behind --";

/// A drop wipes where it stands, and needs no stack below it.
#[test]
fn a_primitive_is_dropped_on_the_smallest_stack() {
    let _alone = alone();
    for (seed, template) in templates().into_iter().enumerate() {
        for &provider in Provider::ALL {
            let canary = Canary::of(&template, 0xd20b + seed as u64);
            let primitive = life::primitive(&canary, provider);
            let thread = thread::Builder::new().stack_size(16 << 10);
            thread
                .spawn(move || drop(primitive))
                .unwrap()
                .join()
                .unwrap();
        }
    }
}

/// Makes a primitive in one thread, uses it in another, drops it in a third, and looks at the memory
/// while all three wait.
#[cfg(target_os = "linux")]
fn found_after(
    canary: Canary,
    provider: Provider,
    work: impl Fn(&life::Used) + Send,
) -> Vec<(String, usize)> {
    let (all_done, looked) = (&Barrier::new(4), &Barrier::new(4));
    let (to_user, from_maker) = mpsc::channel();
    let (to_dropper, from_user) = mpsc::channel();
    let wait = move || {
        all_done.wait();
        looked.wait();
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            let primitive = life::primitive(&canary, provider);
            drop(canary);
            to_user.send(primitive).unwrap();
            wait();
        });
        scope.spawn(move || {
            let primitive = from_maker.recv().unwrap();
            primitive.iter().for_each(work);
            to_dropper.send(primitive).unwrap();
            wait();
        });
        scope.spawn(move || {
            drop(from_user.recv().unwrap());
            wait();
        });
        all_done.wait();
        let found = memory::find_all();
        looked.wait();
        found
    })
}

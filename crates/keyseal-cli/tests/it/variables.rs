//! Variables that set flags, and key files that need no flag.

use super::support::{Place, WithKms};

/// Runs the program, and returns its exit code and its messages.
fn run(place: &Place, line: &str) -> (Option<i32>, String) {
    let output = place.shell(line).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

fn done(place: &Place, line: &str) {
    let (code, said) = run(place, line);
    assert_eq!(code, Some(0), "{line}: {said}");
}

#[test]
fn variables_stand_for_flags() {
    let mut place = Place::new();
    place.write("in", "text");
    done(
        &place,
        "keyseal keyset create --template AES256_GCM --insecure-cleartext -o kek.json",
    );
    place.set("KEYSEAL_KEYSET_KEK", "file-kms://kek.json");
    done(
        &place,
        "keyseal keyset create --template AES256_GCM -o k.json",
    );
    done(
        &place,
        "keyseal keyset list k.json && ! grep -q '\"key\":' k.json",
    );
    place.set("KEYSEAL_KEYSET", "k.json");
    done(&place, "keyseal encrypt in -o a && keyseal decrypt a");
    done(&place, "keyseal explain a");
    // A flag wins, also over the variable of the flag that it would conflict with.
    done(&place, "keyseal encrypt in --kek file-kms://kek.json -o b");
    done(&place, "keyseal inspect b --json | grep -q envelope");
    // The variable stands for its flag, with whichever other flag: no keyset is in cleartext by
    // mistake.
    let create = "keyseal keyset create --template AES256_GCM --insecure-cleartext -o";
    done(
        &place,
        &format!("{create} e.json && ! grep -q '\"key\":' e.json"),
    );
    done(&place, &format!("KEYSEAL_KEYSET_KEK= {create} c.json"));
    let encrypt = "keyseal encrypt in --keyset c.json --insecure-cleartext -o";
    let (code, said) = run(&place, &format!("{encrypt} d"));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("KEYSEAL_KEYSET_KEK= before"), "{said}");
    done(&place, &format!("KEYSEAL_KEYSET_KEK= {encrypt} d"));
    done(&place, "KEYSEAL_KEK= keyseal encrypt in -o e");
    // If two variables conflict, the user decides.
    let (code, said) = run(
        &place,
        "KEYSEAL_KEK=file-kms://kek.json keyseal encrypt in -o f",
    );
    assert_eq!(code, Some(2), "{said}");
    let names = "error: command line: KEYSEAL_KEYSET and KEYSEAL_KEK are both set";
    assert!(
        said.starts_with(names) && said.contains("usage: keyseal encrypt "),
        "{said}"
    );
    let both = "KEYSEAL_KEK=file-kms://kek.json keyseal encrypt in --keyset k.json -o g";
    done(&place, both);
}

#[test]
fn a_key_encryption_key_alone_needs_no_flag() {
    let mut kms = WithKms::new();
    let kek = kms.kek.clone();
    kms.place.set("KEYSEAL_KEK", &kek);
    kms.place.set("KEYSEAL_KEYSET_KEK", &kek);
    kms.place.write("in", "text");
    done(
        &kms.place,
        "keyseal encrypt in -o a && keyseal rewrap a --in-place && keyseal decrypt a",
    );
}

#[test]
fn the_quickstart_takes_no_variables() {
    let mut place = Place::new();
    place.write("in", "text");
    place.set("KEYSEAL_KEYSET", "missing.json");
    place.set("KEYSEAL_KEK", "file-kms://missing.json");
    done(&place, "keyseal quickstart in");
}

#[cfg(unix)]
#[test]
fn a_key_file_of_its_owner_alone_needs_no_flag() {
    let place = Place::new();
    place.write("in", "text");
    done(
        &place,
        "keyseal keyset create --template AES256_GCM --insecure-cleartext -o kek.json",
    );
    done(&place, "keyseal encrypt in --kek file-kms://kek.json -o a");
    let create = "keyseal keyset create --template AES256_GCM";
    done(
        &place,
        &format!("{create} --keyset-kek file-kms://kek.json -o k.json"),
    );
    // Without the key this is an error, and no cleartext file is written.
    let (code, said) = run(&place, &format!("{create} -o cleartext.json"));
    assert_eq!(code, Some(2), "{said}");
    assert!(!place.path("cleartext.json").exists());
    for mode in ["644", "640", "606"] {
        done(&place, &format!("chmod {mode} kek.json"));
        let (code, said) = run(&place, "keyseal decrypt a --kek file-kms://kek.json");
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("chmod 600 kek.json"), "{said}");
        done(
            &place,
            "keyseal decrypt a --kek file-kms://kek.json --insecure-cleartext",
        );
    }
}

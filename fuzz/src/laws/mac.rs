//! MACs: a tag verifies for its data alone, whole or in parts.

use std::sync::LazyLock;

use keyseal::{KeysetMac, Mac as _, key::KeyKind};

use super::{Input, keys};

static MACS: LazyLock<Vec<KeysetMac>> = LazyLock::new(|| {
    let mac = |keyset: keyseal::KeysetHandle| keyset.primitive().expect("it is a MAC keyset");
    keys::keysets(KeyKind::Mac).into_iter().map(mac).collect()
});

/// An input is a template, data, changes of the tag and of the data, and the sizes of parts.
pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let mac = input.one_of(&MACS);
    let data = input.bytes();
    let tag = mac.compute_mac(data);
    assert_eq!(mac.verify_mac(&tag, data), Ok(()));
    let damaged = input.damage(&tag);
    if damaged != tag {
        never_verifies(mac, &damaged, data);
    }
    let other = input.damage(data);
    if other != data {
        never_verifies(mac, &tag, &other);
    }

    let (mut computation, mut verification) =
        (mac.create_computation(), mac.create_verification(&tag));
    let mut rest = data;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.len().min(1 + input.below(64)));
        computation.update(part);
        verification.update(part);
        rest = after;
    }
    assert_eq!(computation.compute_mac(), tag);
    assert_eq!(verification.verify_mac(), Ok(()));
}

fn never_verifies(mac: &KeysetMac, tag: &[u8], data: &[u8]) {
    assert!(mac.verify_mac(tag, data).is_err());
    let mut verification = mac.create_verification(tag);
    verification.update(data);
    assert!(verification.verify_mac().is_err());
}

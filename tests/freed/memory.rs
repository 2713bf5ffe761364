//! The process's own memory, as the system shows it.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt as _,
};

use zeroize::Zeroize as _;

use crate::needles::{self, WINDOW};

/// One mapping that can be written.
struct Mapping {
    range: Range<usize>,
    /// Such as `[heap]`, the name of a file, or nothing.
    name: String,
}

/// Returns the mappings in which there is a secret, and in how many places each.
pub(crate) fn find_all() -> Vec<(String, usize)> {
    let mappings = mappings().unwrap();
    assert!(mappings.iter().any(|mapping| mapping.name == "[heap]"));
    let found = mappings.iter().map(|mapping| {
        let name = format!("{:x?} {}", mapping.range, mapping.name);
        (name, find(mapping).unwrap().len())
    });
    found.filter(|(_, count)| *count > 0).collect()
}

/// Returns the mappings that hold data written by the program.
fn mappings() -> io::Result<Vec<Mapping>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let parse = |line: &str| {
        let mut fields = line.split_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let writable = fields.next()?.starts_with("rw");
        let address = |text| usize::from_str_radix(text, 16).ok();
        let range = address(start)?..address(end)?;
        let name = fields.nth(3).unwrap_or_default().to_owned();
        writable.then_some(Mapping { range, name })
    };
    Ok(maps.lines().filter_map(parse).collect())
}

fn is_there(mapping: &Mapping) -> io::Result<bool> {
    let whole = |found: &Mapping| found.range == mapping.range;
    Ok(mappings()?.iter().any(whole))
}

/// Returns the addresses in `mapping` where a secret starts, each run of bytes once.
fn find(mapping: &Mapping) -> io::Result<Vec<usize>> {
    let memory = File::open("/proc/self/mem")?;
    let mut buffer = vec![0; 1 << 16];
    let own = buffer.as_ptr_range();
    let own = own.start as usize..own.end as usize;
    let mut found: Vec<usize> = Vec::new();
    let mut last = 0;
    let mut window = 0_u64;
    let mut at = mapping.range.start;
    while at < mapping.range.end {
        let wanted = buffer.len().min(mapping.range.end - at);
        let len = match memory.read_at(&mut buffer[..wanted], at as u64) {
            Ok(len) => len,
            // The thread of another test has ended since, and its stack with it.
            Err(_) if !is_there(mapping)? => break,
            Err(error) => return Err(error),
        };
        for (chunk, address) in buffer[..len].chunks(256).zip((at..).step_by(256)) {
            // Most of the memory is zero.
            if window == 0 && chunk == &[0; 256][..chunk.len()] {
                continue;
            }
            for (address, byte) in (address..).zip(chunk) {
                window = window >> 8 | u64::from(*byte) << 56;
                // What this function has read is no finding.
                if needles::has(window) && !own.contains(&address) {
                    let start = address + 1 - WINDOW;
                    if found.is_empty() || last + 1 != start {
                        found.push(start);
                    }
                    last = start;
                }
            }
        }
        at += len;
    }
    buffer.zeroize();
    Ok(found)
}

//! What a core dump of a process would hold: its readable memory, searched while it runs.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use memchr::memmem::Finder;

/// Read at once. A text that stands across two pieces is found all the same, see [`search`].
const PIECE: usize = 1024 * 1024;

/// One mapping of a process.
struct Region {
    start: u64,
    end: u64,
    name: String,
}

/// Where the bytes stand in the process's memory, as `[heap] (132 KiB) + 0x1f0`. Heap, stacks, data of the program and mapped files are searched: all
/// that `gcore` would write, and more.
///
/// # Errors
/// When the memory may not be read: the process is not a child of this one, and this one is not root.
pub fn find(process: u32, bytes: &[u8]) -> io::Result<Vec<String>> {
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let finder = Finder::new(bytes);
    let mut places = Vec::new();
    for region in regions(process)? {
        search(&memory, &region, &finder, &mut places)?;
    }
    Ok(places)
}

fn regions(process: u32) -> io::Result<Vec<Region>> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    Ok(maps.lines().filter_map(readable).collect())
}

/// `start-end permissions offset device inode name`; `None` for what cannot be read: guard pages, reserved space, the kernel's own.
fn readable(line: &str) -> Option<Region> {
    let mut words = line.split_whitespace();
    let (range, permissions) = (words.next()?, words.next()?);
    let name = words.nth(3).unwrap_or("[anonymous]");
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    let (start, end) = (number(start)?, number(end)?);
    let ours = permissions.starts_with('r') && !name.starts_with("[v");
    ours.then(|| Region { start, end, name: format!("{name} ({} KiB)", (end - start) / 1024) })
}

fn search(memory: &File, region: &Region, finder: &Finder<'_>, places: &mut Vec<String>) -> io::Result<()> {
    let overlap = finder.needle().len() - 1;
    let mut piece = vec![0; PIECE + overlap];
    let mut at = region.start;
    while at < region.end {
        let wanted = usize::try_from(region.end - at).unwrap_or(usize::MAX).min(piece.len());
        let read = match memory.read_at(&mut piece[..wanted], at) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            // The mapping went away, or its file became shorter, while we looked.
            Err(error) if error.raw_os_error() == Some(5) => return Ok(()),
            Err(error) => return Err(error),
        };
        places.extend(finder.find_iter(&piece[..read]).map(|found| format!("{} + {:#x}", region.name, at - region.start + found as u64)));
        if read < wanted || at + read as u64 == region.end {
            at += read as u64;
        } else {
            at += (read - overlap) as u64;
        }
    }
    Ok(())
}

#[test]
fn what_is_in_memory_is_found() {
    // Put together here, so that the program's own text does not hold it.
    let text = ["a-text-in-", "our-own-memory-7c1d"].concat();
    let found = find(std::process::id(), text.as_bytes()).expect("our own memory");
    assert!(!found.is_empty());
    assert!(find(0, text.as_bytes()).is_err(), "there is no process 0");
}

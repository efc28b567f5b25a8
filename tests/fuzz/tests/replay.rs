//! The properties over everything that was kept, without a fuzzer.

use std::collections::BTreeSet;

use alter_fuzz::TARGETS;
use alter_fuzz::corpus::{Corpus, Input, seeds};

#[test]
fn every_kept_input_and_every_vector_keeps_the_property() {
    for target in TARGETS {
        let corpus = Corpus::read(&target).expect("a corpus");
        assert!(corpus.reached.len() > 10, "{} has hardly any input", target.name);
        let kept = corpus.inputs().map(|input| input.bytes().expect("hexadecimal"));
        let mut count = 0;
        for input in kept.chain(seeds(&target).expect("vectors")) {
            // The harness prints what a failing test wrote: the input above its panic.
            println!("{}: {:?}", target.name, String::from_utf8_lossy(&input));
            (target.check)(&input);
            count += 1;
        }
        println!("{}: {count} inputs", target.name);
    }
}

#[test]
fn inputs_come_back_as_they_were() {
    for bytes in [&b""[..], b"text", "é😀".as_bytes(), b"\xff\x00\x80", b"a\r\nb"] {
        let text = serde_json::to_string(&Input::new(bytes)).expect("JSON");
        let read: Input = serde_json::from_str(&text).expect("an input");
        assert_eq!(read.bytes().expect("hexadecimal"), bytes);
    }
    assert!(Input::Bytes { hex: "0g".into() }.bytes().is_err());
    assert!(Input::Bytes { hex: "abc".into() }.bytes().is_err());
}

#[test]
fn every_target_has_its_program() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    let programs: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the fuzz package")
        .map(|file| file.expect("a file").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(programs, TARGETS.iter().map(|target| target.name.to_owned()).collect());
}

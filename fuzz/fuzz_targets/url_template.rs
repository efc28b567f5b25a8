#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| alter_fuzz::url_template::check(data));

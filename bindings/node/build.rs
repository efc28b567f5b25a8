//! Lets the linker leave Node's own symbols open: the program that loads the addon has them.

fn main() {
    napi_build::setup();
}

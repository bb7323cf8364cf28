//! Migrations are embedded in the binary: a new one must make it be built again.

fn main() {
    println!("cargo::rerun-if-changed=../migrations");
}

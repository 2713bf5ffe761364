//! The same as a program, for WASI.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    keyseal_wasm::example()?;
    println!("1 passed, 0 failed");
    Ok(())
}

//! Compiles `muster/v1/*.proto` with protox, so that no protoc binary is needed.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=muster");
    let descriptors = protox::compile(["muster/v1/muster.proto"], ["."])?;
    tonic_prost_build::configure().codec_path("crate::codec::SmallCodec").compile_fds(descriptors)?;
    Ok(())
}

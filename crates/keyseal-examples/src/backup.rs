//! Seals a folder into one file, and opens it again.
//!
//! ```sh
//! backup seal FOLDER ARCHIVE KEK_URI
//! backup open ARCHIVE FOLDER KEK_URI
//! ```
//!
//! The archive is a tar file in a sealed stream: `keyseal decrypt --kek KEK_URI` reads it too. It is
//! encrypted while it is written, so it takes a few MiB of memory at any size.

#![forbid(unsafe_code)]

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use keyseal::{RemoteAead, SealedStreamHeader};

type Failure = Box<dyn std::error::Error>;

const USAGE: &str =
    "usage: backup seal FOLDER ARCHIVE KEK_URI\n       backup open ARCHIVE FOLDER KEK_URI";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let [verb, from, to, kek] =
        <[String; 4]>::try_from(env::args().skip(1).collect::<Vec<_>>()).map_err(|_| USAGE)?;
    let (from, to) = (Path::new(&from), Path::new(&to));
    let kek = keyseal_examples::clients().find(&kek)?;
    match verb.as_str() {
        "seal" => seal(from, to, &kek).await,
        "open" => open(from, to, &kek).await,
        _ => Err(USAGE.into()),
    }
}

async fn seal(folder: &Path, archive: &Path, kek: &dyn RemoteAead) -> Result<(), Failure> {
    let (header, aead) =
        SealedStreamHeader::generate_remote(SealedStreamHeader::TEMPLATE, kek).await?;
    // Under another name until it is whole: an archive that breaks off never opens.
    let mut file = tempfile::NamedTempFile::new_in(folder_of(archive))?;
    io::Write::write_all(&mut file, header.as_bytes())?;
    let mut tar = tar::Builder::new(aead.encrypting_writer(&mut file, b"")?);
    tar.follow_symlinks(false);
    tar.append_dir_all("", folder)?;
    tar.into_inner()?.finish()?;
    file.as_file().sync_all()?;
    file.persist_noclobber(archive)?;
    Ok(())
}

async fn open(archive: &Path, folder: &Path, kek: &dyn RemoteAead) -> Result<(), Failure> {
    if folder.exists() {
        return Err(format!("{} exists", folder.display()).into());
    }
    let mut file = fs::File::open(archive)?;
    let header = SealedStreamHeader::read_from(&mut file)?;
    let aead = header.open_remote(kek).await?;
    // Under another name until the end is authenticated: an archive that was cut leaves no folder.
    let unpacked = tempfile::TempDir::new_in(folder_of(folder))?;
    let mut tar = tar::Archive::new(aead.decrypting_reader(file, b""));
    tar.unpack(unpacked.path())?;
    // A tar file ends before the stream does. Read on to the end of the stream.
    io::copy(&mut tar.into_inner(), &mut io::sink())?;
    fs::rename(unpacked.keep(), folder)?;
    Ok(())
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

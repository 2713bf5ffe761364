//! A folder with keys, a configuration, and an encrypted table.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use datafusion::{
    arrow::util::pretty::pretty_format_batches,
    prelude::{SessionConfig, SessionContext},
};
use keyseal::{
    Key, KeysetHandle, RemoteAead, SecretAccess,
    keyset::Format,
    kms::{KmsClient as _, file::FileKmsClient},
};
use keyseal_ballista::{Engine, EngineConfig, Role};
use tempfile::TempDir;

/// The address of one customer, which nothing but shuffles and results may show.
pub(crate) const CANARY: &str = "ada.lovelace.b7e1f29c4d@example.org";
pub(crate) const EMAIL: &str = "AEAD.DECRYPT_STRING(keyset('pii'), email, 'orders.email')";

pub(crate) struct Lake {
    folder: TempDir,
    kek: String,
}

impl Lake {
    /// Makes keys in a file of the folder, and keysets under it.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_cleartext(&folder.path().join("kek.json"), &generate("AES256_GCM"));
        let kek = FileKmsClient::in_folder(folder.path(), SecretAccess::insecure());
        let uri = "file-kms://kek.json";
        let kek = kek.remote_aead(uri).unwrap().unwrap();
        Self::under(folder, uri, &kek).await
    }

    /// Makes keysets under a key of a service.
    pub(crate) async fn under(folder: TempDir, uri: &str, kek: &dyn RemoteAead) -> Self {
        let lake = Self {
            folder,
            kek: uri.to_owned(),
        };
        for (name, template) in [
            ("store", "AES256_GCM"),
            ("pii", "AES256_GCM"),
            ("join", "AES256_SIV"),
        ] {
            lake.write_keyset(name, &generate(template), kek).await;
        }
        fs::write(lake.config(), lake.config_text(&["encrypt", "decrypt"])).unwrap();
        fs::create_dir(lake.path().join("lake")).unwrap();
        lake
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("keyseal-engine.toml")
    }

    pub(crate) fn config_text(&self, allow: &[&str]) -> String {
        let kek = &self.kek;
        let mut text = format!(
            "[[store]]\nprefix = \"sealed+file:///\"\nkek = \"{kek}\"\nkeyset = \"store.json\"\n\
             context = \"lake\"\n"
        );
        for name in ["pii", "join"] {
            text += &format!(
                "[[keyset]]\nname = \"{name}\"\nkek = \"{kek}\"\nfile = \"{name}.json\"\nallow = {allow:?}\n"
            );
        }
        text
    }

    pub(crate) async fn write_keyset(
        &self,
        name: &str,
        keyset: &KeysetHandle,
        kek: &dyn RemoteAead,
    ) {
        let file = keyset.write_encrypted_remote(Format::Json, kek, b"").await;
        let path = self.path().join(format!("{name}.json"));
        fs::write(path.with_extension("new"), file.unwrap()).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    }

    pub(crate) async fn read_keyset(&self, name: &str, kek: &dyn RemoteAead) -> KeysetHandle {
        let file = fs::read(self.path().join(format!("{name}.json"))).unwrap();
        let keyset = KeysetHandle::read_encrypted_remote(&file, Format::Json, kek, b"");
        keyset.await.unwrap()
    }

    /// The key of the folder, as it is now.
    pub(crate) fn file_kek(&self) -> Arc<dyn RemoteAead> {
        let client = FileKmsClient::in_folder(self.path(), SecretAccess::insecure());
        client.remote_aead(&self.kek).unwrap().unwrap()
    }

    /// Rotates the key of the folder and the keysets, as `demo` does it in Key Manager.
    pub(crate) async fn rotate(&self) {
        let path = self.path().join("kek.json");
        let access = SecretAccess::insecure();
        let mut kek = KeysetHandle::read_cleartext(&fs::read(&path).unwrap(), Format::Json, access);
        kek.as_mut()
            .unwrap()
            .rotate(Key::generate("AES256_GCM").unwrap())
            .unwrap();
        write_cleartext(&path, &kek.unwrap());
        let kek = self.file_kek();
        for name in ["store", "pii", "join"] {
            let mut keyset = self.read_keyset(name, &*kek).await;
            if name != "join" {
                keyset.rotate(Key::generate("AES256_GCM").unwrap()).unwrap();
            }
            self.write_keyset(name, &keyset, &*kek).await;
        }
    }

    /// A client's engine, whose keys are in the folder.
    pub(crate) fn engine(&self) -> Engine {
        Engine::new(&EngineConfig::read(&self.config()).unwrap(), Role::Client).unwrap()
    }

    /// The URL of the encrypted table.
    pub(crate) fn orders(&self) -> String {
        format!("sealed+file://{}/lake/orders/", self.path().display())
    }

    /// Writes orders in several files.
    pub(crate) async fn write_orders(&self, ctx: &SessionContext, first: u64, rows: u64) {
        let last = first + rows - 1;
        for part in 0..4 {
            let low = first + part * rows.div_ceil(4);
            let high = last.min(low + rows.div_ceil(4) - 1);
            let sql = format!(
                "COPY (SELECT n AS id, n % 4 AS status, (n * 7919) % 100000 AS cents, \
                 AEAD.ENCRYPT(keyset('pii'), email, 'orders.email') AS email, \
                 deterministic_encrypt(keyset('join'), email, 'customer') AS customer FROM \
                 (SELECT value AS n, CASE WHEN value % 100 = 7 THEN '{CANARY}' \
                  ELSE concat('customer', CAST(value % 100 AS VARCHAR)) END AS email \
                  FROM generate_series({low}, {high}))) \
                 TO '{}{first}-{part}.parquet' STORED AS PARQUET",
                self.orders()
            );
            ctx.sql(&sql).await.unwrap().collect().await.unwrap();
        }
    }

    /// A session of this process, in which the table is known.
    pub(crate) async fn local(&self, engine: &Engine) -> SessionContext {
        let config = SessionConfig::new().with_target_partitions(2);
        SessionContext::new_with_state(engine.state(config, None).unwrap())
    }

    pub(crate) async fn register(&self, ctx: &SessionContext) {
        ctx.sql(&self.table())
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
    }

    pub(crate) fn table(&self) -> String {
        format!(
            "CREATE EXTERNAL TABLE orders STORED AS PARQUET LOCATION '{}'",
            self.orders()
        )
    }
}

pub(crate) async fn answer(ctx: &SessionContext, sql: &str) -> Result<String, String> {
    let rows = async { ctx.sql(sql).await?.collect().await };
    let rows = rows.await.map_err(|error| error.to_string())?;
    Ok(pretty_format_batches(&rows).unwrap().to_string())
}

fn generate(template: &str) -> KeysetHandle {
    KeysetHandle::generate(template).unwrap()
}

fn write_cleartext(path: &Path, keyset: &KeysetHandle) {
    let access = SecretAccess::insecure();
    let text = keyset.write_cleartext(Format::Json, access);
    fs::write(path.with_extension("new"), text.expose(access)).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
}

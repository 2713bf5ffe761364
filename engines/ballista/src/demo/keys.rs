//! The keysets of the demonstration: made, rotated, and shown to the search.

use std::env;

use datafusion::execution::runtime_env::RuntimeEnv;
use keyseal::{
    Key, KeysetAead, KeysetHandle, RemoteAead, SealedStreamHeader, SecretAccess,
    keyset::{Entry, Format},
    kms::scaleway::{ScalewayClient, ScalewayKey},
};
use keyseal_ballista::local::Needle;
use object_store::{GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _, path::Path};
use url::Url;

use crate::error::BoxError;

/// The keysets: names of files, templates, and whether the story rotates them.
const KEYSETS: [(&str, &str, bool); 3] = [
    ("kek", "AES256_GCM", true),
    ("pii", "AES256_GCM", true),
    // Rotated, equal values would have other ciphertexts, and would not join.
    ("join", "AES256_SIV", false),
];

pub(super) struct Keys {
    kek: ScalewayKey,
    uri: String,
    lake: Url,
}

impl Keys {
    /// Finds the key-encryption key with the credentials of the environment.
    pub(super) fn open(lake: &str) -> Result<Self, BoxError> {
        let uri = env::var("SCW_KM_KEY_URI")?;
        let kek = ScalewayClient::from_env()?.key(&uri.parse()?)?;
        let lake = Url::parse(&format!("{lake}/"))?;
        Ok(Self { kek, uri, lake })
    }

    /// Makes the keysets, in the bucket that they open, encrypted under the KEK.
    pub(super) async fn make(&self, runtime: &RuntimeEnv) -> Result<(), BoxError> {
        for (name, template, _) in KEYSETS {
            let keyset = KeysetHandle::generate(template)?;
            self.write(runtime, name, &keyset).await?;
        }
        Ok(())
    }

    /// The configuration of all processes.
    pub(super) fn config(&self) -> String {
        let (uri, lake) = (&self.uri, self.lake.as_str());
        let prefix = match self.lake.host_str() {
            Some(bucket) => format!("sealed+{}://{bucket}/", self.lake.scheme()),
            None => format!("sealed+{}:///", self.lake.scheme()),
        };
        let mut config = format!(
            "[[store]]\nprefix = \"{prefix}\"\nkek = \"{uri}\"\n\
             keyset = \"{lake}_keyseal/kek.json\"\ncontext = \"lake\"\n"
        );
        for (name, _, _) in KEYSETS.into_iter().skip(1) {
            config += &format!(
                "\n[[keyset]]\nname = \"{name}\"\nkek = \"{uri}\"\n\
                 file = \"{lake}_keyseal/{name}.json\"\nallow = [\"encrypt\", \"decrypt\"]\n"
            );
        }
        config
    }

    /// Rotates the KEK in Key Manager, gives keysets a new primary key, and re-wraps all of them.
    pub(super) async fn rotate(&self, runtime: &RuntimeEnv) -> Result<(), BoxError> {
        self.kek.rotate().await?;
        for (name, template, is_rotated) in KEYSETS {
            let mut keyset = self.read(runtime, name).await?;
            if is_rotated {
                keyset.rotate(Key::generate(template)?)?;
            }
            self.write(runtime, name, &keyset).await?;
        }
        Ok(())
    }

    /// Returns all keys that must not be found: those of keysets, and that of an object.
    pub(super) async fn needles(&self, runtime: &RuntimeEnv) -> Result<Vec<Needle>, BoxError> {
        let mut needles = Vec::new();
        for (name, _, _) in KEYSETS {
            let keyset = self.read(runtime, name).await?;
            needles.extend(keys_of(&format!("a key of {name}.json"), &keyset)?);
        }
        let store = runtime.object_store_registry.get_store(&self.lake)?;
        let kek: KeysetAead = self.read(runtime, "kek").await?.primitive()?;
        let folder = Path::from_url_path(self.lake.path())?.join("orders");
        let listing = store.list_with_delimiter(Some(&folder)).await?;
        for object in listing.objects {
            let range = GetOptions::new().with_range(Some(GetRange::Bounded(0..1024)));
            let start = store
                .get_opts(&object.location, range)
                .await?
                .bytes()
                .await?;
            let (header, _) = SealedStreamHeader::parse(&start)?;
            needles.extend(keys_of("the key of an object", &header.keyset(&kek)?)?);
        }
        Ok(needles)
    }

    fn path(&self, name: &str) -> Result<Path, BoxError> {
        let folder = Path::from_url_path(self.lake.path())?.join("_keyseal");
        Ok(folder.join(format!("{name}.json")))
    }

    async fn read(&self, runtime: &RuntimeEnv, name: &str) -> Result<KeysetHandle, BoxError> {
        let store = runtime.object_store_registry.get_store(&self.lake)?;
        let bytes = store.get(&self.path(name)?).await?.bytes().await?;
        let kek: &dyn RemoteAead = &self.kek;
        Ok(KeysetHandle::read_encrypted_remote(&bytes, Format::Json, kek, b"").await?)
    }

    async fn write(
        &self,
        runtime: &RuntimeEnv,
        name: &str,
        keyset: &KeysetHandle,
    ) -> Result<(), BoxError> {
        let store = runtime.object_store_registry.get_store(&self.lake)?;
        let file = keyset.write_encrypted_remote(Format::Json, &self.kek, b"");
        store.put(&self.path(name)?, file.await?.into()).await?;
        Ok(())
    }
}

fn keys_of(name: &str, keyset: &KeysetHandle) -> Result<Vec<Needle>, BoxError> {
    let access = SecretAccess::insecure();
    let needle = |entry: Entry<'_>| {
        let key = entry.key().and_then(|key| key.export(access));
        let key = key.ok_or_else(|| format!("a key of {name} cannot be searched for"))?;
        let bytes = key.expose(access);
        // Half a key would be too much.
        Ok(Needle::new(name, bytes.get(..16).unwrap_or(bytes)))
    };
    keyset.entries().map(needle).collect()
}

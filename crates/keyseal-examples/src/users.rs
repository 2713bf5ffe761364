//! A service that keeps people's e-mail addresses and card numbers encrypted in SQLite.
//!
//! ```sh
//! users DATABASE KEYSET_FOLDER KEK_URI ADDRESS
//! ```
//!
//! - `POST /users` with `{"email": …, "card": …}` adds a user, `GET /users?email=…` finds one.
//! - `POST /keys/rotate` gives both columns a new key. Old rows are still found and decrypted.
//! - `POST /keys/retire` re-encrypts the old rows in batches, then disables the old keys.
//!
//! The card number is encrypted with an AEAD and bound to its row. The address is encrypted
//! deterministically, because it is looked up: anyone who can read the database sees that two rows
//! have the same address, and nothing else. Protect the two routes of `/keys` in a service of yours.

#![forbid(unsafe_code)]

use std::{
    env, fmt,
    io::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use keyseal::{
    Aead as _, DecryptError, DeterministicAead as _, EncryptError, Error, ErrorKind, Key, KeyError,
    KeyId, KeysetAead, KeysetDeterministicAead, KeysetError, KeysetHandle, Variant, error_chain,
    keyset::Status, templates,
};
use keyseal_examples::KeysetFolder;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::json;

const CARDS: &str = "cards.json";
const EMAILS: &str = "emails.json";
/// The associated data of an address: the same for all rows, or no look-up would find it.
const EMAIL_COLUMN: &[u8] = b"users.email";
/// Rows that are re-encrypted in one transaction, while other requests wait.
const BATCH: u32 = 100;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [database, folder, kek, address] =
        <[String; 4]>::try_from(env::args().skip(1).collect::<Vec<_>>())
            .map_err(|_| "usage: users DATABASE KEYSET_FOLDER KEK_URI ADDRESS")?;
    let folder = KeysetFolder::new(folder, &kek)?;
    let service = Arc::new(Service {
        keys: RwLock::new(Keys::new(
            folder.open_or_create(CARDS, templates::AES256_GCM).await?,
            folder.open_or_create(EMAILS, templates::AES256_SIV).await?,
        )?),
        folder: tokio::sync::Mutex::new(folder),
        database: Mutex::new(open(&database)?),
    });
    let app = Router::new()
        .route("/users", get(find).post(add))
        .route("/keys/rotate", post(rotate))
        .route("/keys/retire", post(retire))
        .with_state(service);
    let listener = tokio::net::TcpListener::bind(&address).await?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;
    axum::serve(listener, app).await?;
    Ok(())
}

struct Service {
    /// Every request holds this lock while it reads or writes rows, so once a new value is in it,
    /// nobody encrypts with the old primary key any more.
    keys: RwLock<Keys>,
    /// Locked for as long as the keysets change: two rotations at once would lose a key.
    folder: tokio::sync::Mutex<KeysetFolder>,
    database: Mutex<Connection>,
}

/// The keysets, and the primitives made from them.
struct Keys {
    cards: KeysetHandle,
    emails: KeysetHandle,
    card: KeysetAead,
    email: KeysetDeterministicAead,
}

impl Keys {
    fn new(cards: KeysetHandle, emails: KeysetHandle) -> Result<Self, Error> {
        let (card, email) = (cards.primitive()?, emails.primitive()?);
        Ok(Self {
            cards,
            emails,
            card,
            email,
        })
    }
}

#[derive(Deserialize)]
struct NewUser {
    email: String,
    card: String,
}

#[derive(Deserialize)]
struct Wanted {
    email: String,
}

#[derive(Serialize)]
struct User {
    id: i64,
    email: String,
    card: String,
}

async fn add(State(service): State<Arc<Service>>, Json(user): Json<NewUser>) -> Answer {
    let id = blocking(move || service.add(&user)).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))).into_response())
}

async fn find(State(service): State<Arc<Service>>, Query(wanted): Query<Wanted>) -> Answer {
    let user = blocking(move || service.find(&wanted.email)).await?;
    Ok(Json(user.ok_or(Failure::NotFound)?).into_response())
}

/// Adds a key to both keysets and encrypts with it from now on.
///
/// If several processes serve the same database, take two steps instead: `add` the keys, let every
/// process read the keysets again, then `promote` them.
async fn rotate(State(service): State<Arc<Service>>) -> Answer {
    let folder = service.folder.lock().await;
    let (mut cards, mut emails) = service.keysets();
    cards.rotate(Key::generate(templates::AES256_GCM)?)?;
    emails.rotate(Key::generate(templates::AES256_SIV)?)?;
    service.replace(&folder, cards, emails).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Re-encrypts the rows of older keys, then disables those keys. Disabling can be undone; destroy
/// them once no backup of the database needs them.
async fn retire(State(service): State<Arc<Service>>) -> Answer {
    let folder = service.folder.lock().await;
    let mut rows = 0;
    loop {
        let service = Arc::clone(&service);
        match blocking(move || service.reencrypt_batch()).await? {
            0 => break,
            batch => rows += batch,
        }
    }
    let (mut cards, mut emails) = service.keysets();
    for keyset in [&mut cards, &mut emails] {
        for id in older_keys(keyset) {
            keyset.disable(id)?;
        }
    }
    service.replace(&folder, cards, emails).await?;
    Ok(Json(json!({ "reencrypted": rows })).into_response())
}

fn older_keys(keyset: &KeysetHandle) -> Vec<KeyId> {
    let primary = keyset.primary_id();
    let older = keyset
        .entries()
        .filter(|entry| entry.id() != primary && entry.status() == Status::Enabled);
    older.map(|entry| entry.id()).collect()
}

impl Service {
    fn add(&self, user: &NewUser) -> Result<i64, Failure> {
        let keys = self.keys();
        let mut database = self.database();
        let transaction = database.transaction()?;
        // The column's UNIQUE knows only the ciphertexts of one key.
        if find_row(&transaction, &keys, &user.email)?.is_some() {
            return Err(Failure::Exists);
        }
        let email = user.email.as_bytes();
        let email = keys.email.encrypt_deterministically(email, EMAIL_COLUMN)?;
        transaction.execute("INSERT INTO users (email) VALUES (?)", [email])?;
        let id = transaction.last_insert_rowid();
        let card = keys.card.encrypt(user.card.as_bytes(), &card_of(id))?;
        transaction.execute("UPDATE users SET card = ? WHERE id = ?", params![card, id])?;
        transaction.commit()?;
        Ok(id)
    }

    fn find(&self, email: &str) -> Result<Option<User>, Failure> {
        let keys = self.keys();
        let Some((id, card)) = find_row(&self.database(), &keys, email)? else {
            return Ok(None);
        };
        let card = keys.card.decrypt(&card, &card_of(id))?;
        Ok(Some(User {
            id,
            email: email.to_owned(),
            card: String::from_utf8_lossy(&card).into_owned(),
        }))
    }

    /// Re-encrypts up to [`BATCH`] rows that an older key wrote, and returns how many.
    fn reencrypt_batch(&self) -> Result<usize, Failure> {
        let keys = self.keys();
        let mut database = self.database();
        let transaction = database.transaction()?;
        // A ciphertext starts with five bytes that name its key.
        let prefix = |keyset: &KeysetHandle| Variant::Tink.prefix(keyset.primary_id());
        let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = transaction
            .prepare(
                "SELECT id, email, card FROM users
                 WHERE substr(email, 1, 5) <> ?1 OR substr(card, 1, 5) <> ?2 LIMIT ?3",
            )?
            .query_map(
                params![
                    prefix(&keys.emails).as_bytes(),
                    prefix(&keys.cards).as_bytes(),
                    BATCH
                ],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?
            .collect::<Result<_, _>>()?;
        for (id, email, card) in &rows {
            let email = keys.email.decrypt_deterministically(email, EMAIL_COLUMN)?;
            let card = keys.card.decrypt(card, &card_of(*id))?;
            transaction.execute(
                "UPDATE users SET email = ?, card = ? WHERE id = ?",
                params![
                    keys.email.encrypt_deterministically(&email, EMAIL_COLUMN)?,
                    keys.card.encrypt(&card, &card_of(*id))?,
                    id
                ],
            )?;
        }
        transaction.commit()?;
        Ok(rows.len())
    }

    /// Writes changed keysets to their files, and only then uses them: a row under a key that is in
    /// no file would be lost with the process.
    async fn replace(
        &self,
        folder: &KeysetFolder,
        cards: KeysetHandle,
        emails: KeysetHandle,
    ) -> Result<(), Failure> {
        folder.save(CARDS, &cards).await?;
        folder.save(EMAILS, &emails).await?;
        let keys = Keys::new(cards, emails)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn keysets(&self) -> (KeysetHandle, KeysetHandle) {
        let keys = self.keys();
        (keys.cards.clone(), keys.emails.clone())
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the row of an address, whichever key wrote it.
fn find_row(
    database: &Connection,
    keys: &Keys,
    email: &str,
) -> Result<Option<(i64, Vec<u8>)>, Failure> {
    let sought = keys
        .email
        .encrypt_deterministically_with_each_key(email.as_bytes(), EMAIL_COLUMN)?;
    let places = vec!["?"; sought.len()].join(", ");
    let query = format!("SELECT id, card FROM users WHERE email IN ({places})");
    let row = database
        .prepare(&query)?
        .query_row(params_from_iter(sought), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(row)
}

/// The associated data of a card number: nobody can copy it to another row.
fn card_of(id: i64) -> Vec<u8> {
    format!("users/{id}/card").into_bytes()
}

fn open(path: &str) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS users (
             id INTEGER PRIMARY KEY,
             email BLOB NOT NULL UNIQUE,
             card BLOB
         ) STRICT",
    )?;
    Ok(database)
}

/// Runs work that waits for the disk where it holds up no other request.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Failure::Panicked))
}

type Answer = Result<Response, Failure>;

#[derive(Debug)]
enum Failure {
    Exists,
    NotFound,
    Panicked,
    Crypto(Error),
    Database(rusqlite::Error),
}

macro_rules! failure_from {
    ($($error:ty => $variant:ident),+) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::$variant(error.into())
            }
        }
    )+};
}

failure_from!(
    DecryptError => Crypto,
    EncryptError => Crypto,
    Error => Crypto,
    KeyError => Crypto,
    KeysetError => Crypto,
    rusqlite::Error => Database
);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("a user has this address"),
            Self::NotFound => f.write_str("no user has this address"),
            Self::Panicked => f.write_str("the request was not completed"),
            // With the causes: the reason is often there.
            Self::Crypto(error) => f.write_str(&error_chain(error)),
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Exists => StatusCode::CONFLICT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Crypto(error) => match error.kind() {
                ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
                ErrorKind::KmsUnavailable => StatusCode::SERVICE_UNAVAILABLE,
                // Our own rows do not decrypt, or our own keys do not work: somebody must look.
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Database(_) | Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            // An error to stderr that cannot be written has nowhere else to go.
            let _ = writeln!(io::stderr(), "{self}");
        }
        let text = match status.is_server_error() {
            true => "internal error".to_owned(),
            false => self.to_string(),
        };
        (status, Json(json!({ "error": text }))).into_response()
    }
}

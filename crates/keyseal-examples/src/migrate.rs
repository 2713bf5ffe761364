//! Moves rows that hand-rolled AES-GCM encrypted to a keyset, while their service runs.
//!
//! ```sh
//! migrate DATABASE OLD_KEY_FILE KEYSET_FOLDER KEK_URI
//! ```
//!
//! The table is `cards (id, number)`, where `number` is `nonce (12) ‖ ciphertext ‖ tag (16)` under one
//! key of 32 bytes, without associated data. The new ciphertext is bound to its row.
//!
//! A column, `is_migrated`, says which keyset a row is under. Trying one after the other instead
//! would be unsafe: an old ciphertext is bound to no row, so anyone who can write to the table
//! could copy one over a new row, and the old key would decrypt it.
//!
//! You can kill it at any time and run it again. In the service, deploy this order: read both kinds
//! of rows; write new ones; migrate; read the new kind alone; delete the old key.

#![forbid(unsafe_code)]

use std::{
    env, fs,
    io::{self, Write as _},
};

use keyseal::{
    Aead as _, Error, Key, KeysetAead, KeysetHandle, SecretAccess, SecretBytes, Variant,
    key::aes_gcm::AesGcmKey, templates,
};
use keyseal_examples::KeysetFolder;
use rusqlite::{Connection, TransactionBehavior, params};

/// Rows of one transaction: the service waits for no more than these.
const BATCH: u32 = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [database, old_key, folder, kek] =
        <[String; 4]>::try_from(env::args().skip(1).collect::<Vec<_>>())
            .map_err(|_| "usage: migrate DATABASE OLD_KEY_FILE KEYSET_FOLDER KEK_URI")?;
    let folder = KeysetFolder::new(folder, &kek)?;
    let new = folder
        .open_or_create("cards.json", templates::AES256_GCM)
        .await?;
    let cards = Cards {
        old: old_keyset(&fs::read(old_key)?)?.primitive()?,
        new: new.primitive()?,
    };

    let mut database = Connection::open(database)?;
    add_column(&database)?;
    let mut migrated = 0;
    loop {
        match migrate_batch(&mut database, &cards)? {
            0 => break,
            rows => migrated += rows,
        }
    }
    let checked = check_all(&database, &cards)?;
    writeln!(
        io::stdout(),
        "{migrated} rows migrated, {checked} rows checked"
    )?;
    Ok(())
}

/// The two keysets of the column. They stay apart: see the module.
struct Cards {
    old: KeysetAead,
    new: KeysetAead,
}

impl Cards {
    /// Decrypts a row, as the service does during the migration.
    fn read(&self, id: i64, number: &[u8], is_migrated: bool) -> Result<Vec<u8>, Error> {
        Ok(match is_migrated {
            true => self.new.decrypt(number, &card_of(id))?,
            false => self.old.decrypt(number, b"")?,
        })
    }

    /// Encrypts a row, as the service does from now on, with `is_migrated` set.
    fn write(&self, id: i64, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.new.encrypt(plaintext, &card_of(id))?)
    }
}

/// Makes a keyset of the old key. Its ciphertexts have no prefix: `Variant::Raw`.
fn old_keyset(key: &[u8]) -> Result<KeysetHandle, Error> {
    let key = SecretBytes::copy_from(key, SecretAccess::insecure());
    Ok(KeysetHandle::new(Key::new(
        AesGcmKey::new(key)?,
        Variant::Raw,
    )?)?)
}

fn card_of(id: i64) -> Vec<u8> {
    format!("cards/{id}/number").into_bytes()
}

fn add_column(database: &Connection) -> rusqlite::Result<()> {
    let found: bool = database.query_row(
        "SELECT count(*) FROM pragma_table_info('cards') WHERE name = 'is_migrated'",
        [],
        |row| row.get(0),
    )?;
    if !found {
        database.execute_batch(
            "ALTER TABLE cards ADD COLUMN is_migrated INTEGER NOT NULL DEFAULT FALSE;
             CREATE INDEX cards_to_migrate ON cards (id) WHERE NOT is_migrated;",
        )?;
    }
    Ok(())
}

/// Migrates up to [`BATCH`] rows, and returns how many. Stops at a row that does not decrypt.
fn migrate_batch(
    database: &mut Connection,
    cards: &Cards,
) -> Result<usize, Box<dyn std::error::Error>> {
    // Immediate: the service must not change a row between our reading and our writing it.
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let rows: Vec<(i64, Vec<u8>)> = transaction
        .prepare("SELECT id, number FROM cards WHERE NOT is_migrated LIMIT ?")?
        .query_map([BATCH], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, number) in &rows {
        let plaintext = cards
            .read(*id, number, false)
            .map_err(|error| format!("row {id}: {error}"))?;
        transaction.execute(
            "UPDATE cards SET number = ?, is_migrated = TRUE WHERE id = ?",
            params![cards.write(*id, &plaintext)?, id],
        )?;
    }
    transaction.commit()?;
    Ok(rows.len())
}

/// Decrypts every row under the new keyset, before anyone deletes the old key.
fn check_all(database: &Connection, cards: &Cards) -> Result<usize, Box<dyn std::error::Error>> {
    let mut statement = database.prepare("SELECT id, number, is_migrated FROM cards")?;
    let mut rows = statement.query([])?;
    let mut checked = 0;
    while let Some(row) = rows.next()? {
        let (id, number): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        cards
            .read(id, &number, row.get(2)?)
            .map_err(|error| format!("row {id}: {error}"))?;
        checked += 1;
    }
    Ok(checked)
}

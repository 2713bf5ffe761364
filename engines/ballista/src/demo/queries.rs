//! The queries, on encrypted tables, on plain files, and on cleartext for the right answers.

/// Where a query runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tables {
    /// Encrypted columns in an encrypted bucket.
    Sealed,
    /// The same files in a bucket without encryption: their columns are encrypted still.
    Plain,
    /// Cleartext in memory, without any key.
    Cleartext,
}

pub(super) struct Query {
    pub(super) name: &'static str,
    template: &'static str,
}

pub(super) const QUERIES: [Query; 5] = [
    Query {
        name: "scan",
        template: "SELECT status, count(*) AS orders, sum(cents) AS cents, sum(items) AS items \
                   FROM {orders} GROUP BY status ORDER BY status",
    },
    Query {
        name: "pruned scan",
        template: "SELECT count(*) AS orders, min(id) AS first, max(id) AS last, sum(cents) AS cents \
                   FROM {orders} WHERE id BETWEEN {low} AND {high}",
    },
    Query {
        name: "join on a ciphertext",
        template: "SELECT country, count(*) AS orders, sum(cents) AS cents FROM {orders} o \
                   JOIN {customers} c ON o.customer = c.customer GROUP BY country ORDER BY country",
    },
    Query {
        name: "decryption",
        template: "SELECT who, count(*) AS orders, sum(cents) AS cents \
                   FROM (SELECT {email} AS who, cents FROM {orders}) \
                   GROUP BY who ORDER BY cents DESC, who LIMIT 3",
    },
    Query {
        name: "search by address",
        template: "SELECT count(*) AS orders, sum(cents) AS cents \
                   FROM {orders} WHERE customer = {customer}",
    },
];

/// The values that queries name.
pub(super) struct Values {
    pub(super) rows: u64,
    pub(super) address: String,
}

impl Query {
    pub(super) fn sql(&self, tables: Tables, values: &Values) -> String {
        let (prefix, address) = (tables.prefix(), &values.address);
        let (email, customer) = match tables {
            Tables::Cleartext => ("email".to_owned(), format!("'{address}'")),
            Tables::Sealed | Tables::Plain => (
                "AEAD.DECRYPT_STRING(keyset('pii'), email, 'orders.email')".to_owned(),
                format!("deterministic_encrypt(keyset('join'), '{address}', 'customer')"),
            ),
        };
        let low = values.rows / 2;
        self.template
            .replace("{orders}", &format!("{prefix}orders"))
            .replace("{customers}", &format!("{prefix}customers"))
            .replace("{email}", &email)
            .replace("{customer}", &customer)
            .replace("{low}", &low.to_string())
            .replace("{high}", &(low + values.rows / 50).to_string())
    }
}

impl Tables {
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Sealed => "",
            Self::Plain => "plain_",
            Self::Cleartext => "clear_",
        }
    }
}

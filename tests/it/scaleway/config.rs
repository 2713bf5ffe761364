//! Where settings come from and which of them count.

use std::fs;

use keyseal::{
    KmsError, KmsErrorKind, RemoteAead,
    kms::scaleway::{Environment, ScalewayClient},
};
use tempfile::TempDir;

use super::scripted::{Answer, KEY_ID, Scripted, full_text};

const A: &str = "aaaaaaaa-0000-4000-8000-000000000000";
const B: &str = "bbbbbbbb-0000-4000-8000-000000000000";
const C: &str = "cccccccc-0000-4000-8000-000000000000";

/// A home directory with a configuration file that has two profiles.
fn home() -> TempDir {
    let home = TempDir::new().unwrap();
    write(
        &home,
        ".config/scw/config.yaml",
        "access_key: SCWTOPLEVELTOPLEVEL1
secret_key: aaaaaaaa-0000-4000-8000-000000000000
default_project_id: aaaaaaaa-0000-4000-8000-000000000000
default_region: fr-par
profiles:
  p1:
    default_region: nl-ams
  p2:
    secret_key: bbbbbbbb-0000-4000-8000-000000000000
    default_region: pl-waw
",
    );
    home
}

fn write(home: &TempDir, name: &str, text: &str) {
    let path = home.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// The settings a client uses: its region, and the secret key that its transport gets.
fn used(
    home: &TempDir,
    variables: &[(&str, &str)],
    explicit: impl FnOnce(
        keyseal::kms::scaleway::ScalewayClientBuilder,
    ) -> keyseal::kms::scaleway::ScalewayClientBuilder,
) -> Result<ScalewayClient, KmsError> {
    let home = home.path().to_str().unwrap();
    let variables = [("HOME", home), ("USERPROFILE", home)]
        .into_iter()
        .chain(variables.iter().copied());
    let environment = Environment::from_pairs(variables);
    explicit(ScalewayClient::builder().environment(environment)).build()
}

fn region(home: &TempDir, variables: &[(&str, &str)]) -> String {
    let client = used(home, variables, |builder| builder).unwrap();
    client.region().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn explicit_options_stand_above_environment_profile_and_top_level() {
    let home = home();
    for (variables, wanted) in [
        (&[][..], "fr-par"),
        (&[("SCW_PROFILE", "default")], "fr-par"),
        (&[("SCW_PROFILE", "")], "fr-par"),
        (&[("SCW_PROFILE", "p1")], "nl-ams"),
        (&[("SCW_PROFILE", "p2")], "pl-waw"),
        (
            &[("SCW_PROFILE", "p2"), ("SCW_DEFAULT_REGION", "it-mil")],
            "it-mil",
        ),
        (&[("SCALEWAY_REGION", "it-mil")], "it-mil"),
        (
            &[("SCALEWAY_REGION", "it-mil"), ("SCW_REGION", "pl-waw")],
            "pl-waw",
        ),
        (
            &[("SCW_REGION", "it-mil"), ("SCW_DEFAULT_REGION", "pl-waw")],
            "pl-waw",
        ),
        (&[("SCW_REGION", "par1"), ("SCW_PROFILE", "p1")], "fr-par"),
        (&[("SCW_DEFAULT_REGION", "ams1")], "nl-ams"),
        // The zone is below the region, wherever that comes from.
        (&[("SCW_DEFAULT_ZONE", "pl-waw-2")], "fr-par"),
    ] {
        assert_eq!(region(&home, variables), wanted, "{variables:?}");
        let explicit = used(&home, variables, |builder| builder.region("ab-cde")).unwrap();
        assert_eq!(explicit.region().unwrap().as_str(), "ab-cde");
    }
    let chosen = used(&home, &[("SCW_PROFILE", "p1")], |builder| {
        builder.profile("p2")
    })
    .unwrap();
    assert_eq!(chosen.region().unwrap().as_str(), "pl-waw");
}

#[test]
fn a_zone_stands_for_its_region_where_none_is_named() {
    let empty = TempDir::new().unwrap();
    let variables = [("SCW_SECRET_KEY", A), ("SCW_DEFAULT_ZONE", "pl-waw-2")];
    assert_eq!(region(&empty, &variables), "pl-waw");
    assert_eq!(region(&empty, &[("SCW_SECRET_KEY", A)]), "");
}

/// Reads the secret key from the request that the client would send.
async fn secret_key(home: &TempDir, variables: &[(&str, &str)]) -> String {
    use std::sync::{Arc, Mutex};

    use keyseal::{
        BoxFuture, SecretAccess,
        kms::client::{HttpRequest, HttpResponse, Transport},
    };

    struct Spy(Arc<Mutex<String>>);
    impl Transport for Spy {
        fn send<'a>(
            &'a self,
            request: &'a HttpRequest,
        ) -> BoxFuture<'a, Result<HttpResponse, KmsError>> {
            let mut credentials = request.headers().iter().filter(|header| header.is_secret());
            let key = credentials.next().unwrap().expose(SecretAccess::insecure());
            *self.0.lock().unwrap() = String::from_utf8(key.to_vec()).unwrap();
            Box::pin(async { Ok(HttpResponse::new(404, Vec::new())) })
        }
    }

    let seen = Arc::new(Mutex::new(String::new()));
    let spy = Spy(Arc::clone(&seen));
    let client = used(home, variables, |builder| builder.transport(spy)).unwrap();
    let uri = format!("scw-kms://{KEY_ID}").parse().unwrap();
    client.key(&uri).unwrap().get().await.unwrap_err();
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[tokio::test]
async fn the_secret_key_has_the_same_order_and_its_old_names() {
    let home = home();
    for (variables, wanted) in [
        (&[][..], A),
        (&[("SCW_PROFILE", "p2")], B),
        (&[("SCW_PROFILE", "p2"), ("SCW_SECRET_KEY", C)], C),
        (&[("SCW_TOKEN", C)], C),
        (&[("SCALEWAY_TOKEN", C)], C),
        (&[("SCALEWAY_TOKEN", C), ("SCW_TOKEN", B)], B),
        (&[("SCW_TOKEN", C), ("SCW_SECRET_KEY", B)], B),
        (
            &[
                ("SCALEWAY_ACCESS_KEY", C),
                ("SCW_ACCESS_KEY", "SCWENVIRONMENT123456"),
            ],
            C,
        ),
    ] {
        assert_eq!(secret_key(&home, variables).await, wanted, "{variables:?}");
    }
}

#[tokio::test]
async fn the_project_of_last_resort_is_below_everything() {
    let home = home();
    let empty = TempDir::new().unwrap();
    for (home, variables, wanted) in [
        (&home, &[("SCW_PROJECT_ID", C)][..], A),
        (
            &home,
            &[("SCW_PROJECT_ID", C), ("SCW_DEFAULT_PROJECT_ID", B)],
            B,
        ),
        (&empty, &[("SCW_PROJECT_ID", C)], C),
    ] {
        let service = Scripted::new([Answer::golden(200, "replies/keys.json")]);
        let client = used(home, variables, |builder| {
            builder
                .secret_key(A)
                .region("fr-par")
                .transport(service.clone())
        });
        client
            .unwrap()
            .list_keys(&Default::default())
            .await
            .unwrap();
        let target = service.sent().remove(0).target;
        assert!(target.contains(&format!("project_id={wanted}")), "{target}");
    }
}

#[tokio::test]
async fn the_organisation_filters_lists_where_there_is_no_project() {
    let empty = TempDir::new().unwrap();
    let service = Scripted::new([Answer::golden(200, "replies/keys.json")]);
    let variables = [
        ("SCW_SECRET_KEY", A),
        ("SCW_DEFAULT_REGION", "fr-par"),
        ("SCW_ORGANIZATION", B),
    ];
    let client = used(&empty, &variables, |builder| {
        builder.transport(service.clone())
    })
    .unwrap();
    client.list_keys(&Default::default()).await.unwrap();
    let target = service.sent().remove(0).target;
    assert!(target.contains(&format!("organization_id={B}")) && !target.contains("project_id"));
}

#[test]
fn files_are_found_in_the_order_of_scaleways_tools() {
    let home = TempDir::new().unwrap();
    let key = format!("secret_key: {A}\n");
    write(
        &home,
        ".config/scw/config.yml",
        &format!("{key}default_region: aa-yml\n"),
    );
    assert_eq!(region(&home, &[]), "aa-yml");
    write(
        &home,
        ".config/scw/config.yaml",
        &format!("{key}default_region: aa-yaml\n"),
    );
    assert_eq!(region(&home, &[]), "aa-yaml");

    write(
        &home,
        "xdg/scw/config.yaml",
        &format!("{key}default_region: aa-xdg\n"),
    );
    let xdg = home.path().join("xdg");
    let xdg = ("XDG_CONFIG_HOME", xdg.to_str().unwrap());
    assert_eq!(region(&home, &[xdg]), "aa-xdg");

    write(&home, "named", &format!("{key}default_region: aa-named\n"));
    let named = home.path().join("named");
    let named = ("SCW_CONFIG_PATH", named.to_str().unwrap());
    assert_eq!(region(&home, &[xdg, named]), "aa-named");
    assert_eq!(region(&home, &[xdg, ("SCW_CONFIG_PATH", "")]), "aa-xdg");
}

#[test]
fn nothing_is_read_that_was_not_asked_for() {
    let error = ScalewayClient::builder()
        .region("fr-par")
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::MissingCredentials);
    assert_eq!(
        error.message(),
        Some("no source of settings has a secret key")
    );

    let home = home();
    let file = home.path().join(".config/scw/config.yaml");
    let client = ScalewayClient::builder()
        .config_file(file)
        .profile("p2")
        .build()
        .unwrap();
    assert_eq!(client.region().unwrap().as_str(), "pl-waw");
}

#[test]
fn a_file_or_profile_that_was_named_must_be_there() {
    let empty = TempDir::new().unwrap();
    let key = ("SCW_SECRET_KEY", A);
    let build = |variables: &[(&str, &str)]| used(&empty, variables, |builder| builder);
    assert!(build(&[key, ("SCW_CONFIG_PATH", "/does/not/exist")]).is_err());
    assert!(build(&[key, ("SCW_CONFIG_PATH", empty.path().to_str().unwrap())]).is_err());
    assert!(used(&empty, &[key], |builder| builder.profile("p1")).is_err());
    assert!(
        used(&empty, &[key], |builder| builder
            .config_file("/does/not/exist"))
        .is_err()
    );

    // Without any file the variable has no meaning, as for Scaleway's CLI, but it is said.
    let client = build(&[key, ("SCW_PROFILE", "p1")]).unwrap();
    assert!(
        client.warnings()[0].contains("SCW_PROFILE"),
        "{:?}",
        client.warnings()
    );

    // An empty file is a file.
    #[cfg(unix)]
    assert!(build(&[key, ("SCW_CONFIG_PATH", "/dev/null")]).is_ok());
    let long = empty.path().join("long");
    fs::write(&long, "#".repeat((1 << 20) + 1)).unwrap();
    assert!(used(&empty, &[key], |builder| builder.config_file(long)).is_err());

    let home = home();
    let error = used(&home, &[("SCW_PROFILE", "p9")], |builder| builder).unwrap_err();
    assert!(
        error.to_string().contains("there is no profile `p9`"),
        "{error}"
    );
    write(
        &home,
        ".config/scw/config.yaml",
        &format!("secret_key: {A}\nactive_profile: p9\n"),
    );
    assert!(used(&home, &[], |builder| builder).is_err());
}

#[test]
fn the_active_profile_of_the_file_is_used() {
    let home = home();
    let path = home.path().join(".config/scw/config.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("active_profile: p1\n{text}")).unwrap();
    assert_eq!(region(&home, &[]), "nl-ams");
    assert_eq!(region(&home, &[("SCW_PROFILE", "default")]), "fr-par");
}

#[test]
fn values_are_checked_whatever_their_source_and_never_shown() {
    let empty = TempDir::new().unwrap();
    let good = [
        ("SCW_ACCESS_KEY", "SCWABCDEFGHIJ1234567"),
        ("SCW_SECRET_KEY", "AAAAAAAA-0000-4000-8000-000000000000"),
        ("SCW_DEFAULT_ORGANIZATION_ID", A),
        ("SCW_DEFAULT_PROJECT_ID", A),
        ("SCW_DEFAULT_REGION", "fr-par"),
        ("SCW_DEFAULT_ZONE", "fr-par-1"),
        ("SCW_API_URL", "https://api.scaleway.com/"),
        ("SCW_USER_AGENT", "mine/1.0 (x; y)"),
    ];
    used(&empty, &good, |builder| builder).unwrap();
    let bad: &[(&str, &[&str])] = &[
        (
            "SCW_ACCESS_KEY",
            &["", "SCW", "scwabcdefghij1234567", "SCWabcdefghij1234567", A],
        ),
        (
            "SCW_SECRET_KEY",
            &["hunter2-hunter2", "aaaaaaaa00004000800000000000000a"],
        ),
        ("SCW_DEFAULT_ORGANIZATION_ID", &["", "hunter2-hunter2"]),
        ("SCW_DEFAULT_PROJECT_ID", &["", "hunter2-hunter2"]),
        (
            "SCW_DEFAULT_REGION",
            &[
                "",
                "par",
                "FR-PAR",
                "fr_par",
                "fr-pa",
                "fr-parparpa",
                "fr-par-1",
            ],
        ),
        (
            "SCW_DEFAULT_ZONE",
            &["", "fr-par", "fr-par-", "fr-par-123", "fr-par-x"],
        ),
        (
            "SCW_API_URL",
            &[
                "",
                "api.scaleway.com",
                "http://api.scaleway.com",
                "https://a//",
            ],
        ),
        (
            "SCW_USER_AGENT",
            &["a\nb", "a\r\nX-Auth-Token: b", "é", "\u{7f}"],
        ),
    ];
    for (name, values) in bad {
        for value in *values {
            let variables: Vec<_> = good
                .iter()
                .map(|(other, fine)| {
                    if other == name {
                        (*name, *value)
                    } else {
                        (*other, *fine)
                    }
                })
                .collect();
            let error = used(&empty, &variables, |builder| builder).expect_err(value);
            assert_eq!(error.kind(), KmsErrorKind::Configuration, "{name}={value}");
            let text = full_text(&error);
            assert!(!text.contains("hunter2") && !text.contains(A), "{text}");
        }
    }
    let long = "x".repeat(513);
    let error = used(&empty, &good, |builder| builder.user_agent(&long)).unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::Configuration);
}

#[test]
fn certificates_are_left_unchecked_only_by_a_clear_word() {
    let empty = TempDir::new().unwrap();
    for (variables, insecure) in [
        (&[][..], false),
        (&[("SCW_INSECURE", "true")], true),
        (&[("SCW_INSECURE", "1")], true),
        (&[("SCW_INSECURE", "T")], true),
        (&[("SCW_INSECURE", "False")], false),
        (&[("SCW_INSECURE", "yes")], false),
        (&[("SCW_INSECURE", "")], false),
        (&[("SCW_TLSVERIFY", "false")], true),
        (&[("SCW_TLSVERIFY", "true")], false),
        (&[("SCW_TLSVERIFY", "nope")], false),
        (&[("SCW_TLSVERIFY", "")], false),
        (
            &[("SCW_TLSVERIFY", "false"), ("SCW_INSECURE", "false")],
            false,
        ),
    ] {
        let variables: Vec<_> = variables
            .iter()
            .copied()
            .chain([("SCW_SECRET_KEY", A)])
            .collect();
        let client = used(&empty, &variables, |builder| builder).unwrap();
        let warned = client
            .warnings()
            .iter()
            .any(|text| text.contains("not checked"));
        assert_eq!(warned, insecure, "{variables:?}: {:?}", client.warnings());
    }
}

#[test]
fn plain_http_is_for_this_machine_and_for_the_host_that_is_named() {
    let empty = TempDir::new().unwrap();
    let client = |url: &str, variable: &str, host: Option<&str>| {
        let variables = [
            ("SCW_SECRET_KEY", A),
            ("SCW_API_URL", url),
            ("KEYSEAL_INSECURE_HTTP_HOST", variable),
        ];
        used(&empty, &variables, |builder| match host {
            Some(host) => builder.insecure_http_host(host),
            None => builder,
        })
    };
    for (url, variable, host) in [
        ("http://kms:8080", "kms", None),
        ("http://kms:8080", "", Some("kms")),
        ("http://KMS", "other", Some("Kms")),
        ("http://10.0.0.1:8080", "10.0.0.1", None),
        ("http://[fd00::1]:8080", "[fd00::1]", None),
    ] {
        let client = client(url, variable, host).unwrap();
        let warned = client.warnings().join("\n");
        assert!(warned.contains("without TLS"), "{url}: {warned}");
    }
    for (url, variable, host) in [
        ("http://kms:8080", "", None),
        ("http://kms:8080", "kms", Some("other")),
        ("http://kms.example", "kms", None),
        ("http://example", "kms.example", None),
        ("http://kms:8080", "*", None),
        ("http://kms:8080", "kms:8080", None),
    ] {
        let error = client(url, variable, host).unwrap_err();
        assert_eq!(error.kind(), KmsErrorKind::Configuration, "{url}");
        let said = error.to_string();
        assert!(said.contains("KEYSEAL_INSECURE_HTTP_HOST"), "{url}: {said}");
    }
    // A loopback or encrypted connection needs no warning.
    for url in ["http://127.0.0.1:8080", "https://kms"] {
        let client = client(url, "kms", None).unwrap();
        assert!(client.warnings().is_empty(), "{url}");
    }
}

#[test]
fn old_names_and_open_files_are_warned_of() {
    let empty = TempDir::new().unwrap();
    let variables = [("SCW_TOKEN", A), ("SCW_REGION", "fr-par")];
    let client = used(&empty, &variables, |builder| builder).unwrap();
    assert_eq!(client.warnings().len(), 2, "{:?}", client.warnings());
    assert!(client.warnings()[0].contains("SCW_TOKEN is an old name: use SCW_SECRET_KEY"));

    let home = home();
    assert!(
        used(&home, &[], |builder| builder)
            .unwrap()
            .warnings()
            .is_empty()
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = home.path().join(".config/scw/config.yaml");
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        let client = used(&home, &[], |builder| builder).unwrap();
        assert!(client.warnings()[0].contains("readable by others"));
    }
}

#[tokio::test]
async fn a_client_without_a_region_serves_uris_that_name_one() {
    let empty = TempDir::new().unwrap();
    let service = Scripted::new([Answer::golden(200, "replies/encrypt.json")]);
    let client = used(&empty, &[("SCW_SECRET_KEY", A)], |builder| {
        builder.transport(service.clone())
    });
    let uri = format!("scw-kms://regions/fr-par/keys/{KEY_ID}")
        .parse()
        .unwrap();
    client
        .unwrap()
        .key(&uri)
        .unwrap()
        .encrypt(b"x", b"")
        .await
        .unwrap();
    assert_eq!(service.sent().len(), 1);
}

/// The message of the settings that cannot be used.
fn refused(home: &TempDir, variables: &[(&str, &str)]) -> String {
    let error = used(home, variables, |builder| builder).expect_err("it is refused");
    assert_eq!(error.kind(), KmsErrorKind::Configuration, "{error}");
    error.message().unwrap().to_owned()
}

#[test]
fn an_error_names_the_variable_or_the_line() {
    let home = home();
    let file = home.path().join(".config/scw/config.yaml");
    for (variables, start) in [
        (
            [("SCW_DEFAULT_REGION", "paris"), ("SCW_PROFILE", "")],
            "SCW_DEFAULT_REGION: the region must have a name",
        ),
        (
            [("SCW_REGION", "paris"), ("SCW_PROFILE", "")],
            "SCW_REGION: the region must have a name",
        ),
        (
            [("SCW_API_URL", ""), ("SCW_PROFILE", "")],
            "SCW_API_URL: the API URL is empty",
        ),
        (
            [("SCW_SECRET_KEY", &format!("{A}\n")), ("SCW_PROFILE", "")],
            "SCW_SECRET_KEY: the secret key ends in a line feed",
        ),
        (
            [("SCW_SECRET_KEY", &format!(" {A}")), ("SCW_PROFILE", "")],
            "SCW_SECRET_KEY: the secret key begins or ends with white space",
        ),
        (
            [("SCW_API_URL", "http://api.example"), ("SCW_PROFILE", "")],
            "SCW_API_URL: the API URL without TLS",
        ),
        (
            [("SCW_PROFILE", "p9"), ("SCW_DEFAULT_ZONE", "fr-par-1")],
            "SCW_PROFILE: there is no profile `p9` in ",
        ),
    ] {
        let message = refused(&home, &variables);
        assert!(message.starts_with(start), "{message}");
    }
    let message = refused(&home, &[("SCW_PROFILE", "p9")]);
    assert!(message.ends_with("has `default`, `p1`, `p2`"), "{message}");

    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("nl-ams", "NL-AMS")).unwrap();
    let message = refused(&home, &[("SCW_PROFILE", "p1")]);
    let start = format!("{}, line 7: the region must have", file.display());
    assert!(message.starts_with(&start), "{message}");

    fs::write(&file, "secret_key: [").unwrap();
    let message = refused(&home, &[]);
    assert!(
        message.starts_with(&format!("{}, line ", file.display())),
        "{message}"
    );
}

#[test]
fn missing_credentials_have_their_kind_and_say_where_they_were_looked_for() {
    let empty = TempDir::new().unwrap();
    let error = used(&empty, &[("SCW_SECRET_KEY", "")], |builder| builder).unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::MissingCredentials);
    let message = error.message().unwrap();
    assert_eq!(message, "SCW_SECRET_KEY: the secret key is empty");

    let error = used(&empty, &[], |builder| builder).unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::MissingCredentials);
    let path = empty.path().join(".config/scw/config.yaml");
    let message = error.message().unwrap();
    assert!(message.contains("SCW_SECRET_KEY is not set"), "{message}");
    assert!(message.contains(path.to_str().unwrap()), "{message}");

    write(
        &empty,
        ".config/scw/config.yaml",
        "default_region: fr-par\n",
    );
    let error = used(&empty, &[], |builder| builder).unwrap_err();
    assert_eq!(error.kind(), KmsErrorKind::MissingCredentials);
    assert!(error.message().unwrap().contains(path.to_str().unwrap()));
}

#[test]
fn settings_that_suffice_do_not_need_a_file_that_can_be_read() {
    let complete = [("SCW_SECRET_KEY", A), ("SCW_DEFAULT_REGION", "nl-ams")];
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join(".config/scw/config.yaml")).unwrap();
    let broken = TempDir::new().unwrap();
    write(&broken, ".config/scw/config.yaml", "secret_key: [");
    for home in [&folder, &broken] {
        let client = used(home, &complete, |builder| builder).unwrap();
        assert_eq!(client.region().unwrap().as_str(), "nl-ams");
        assert!(client.warnings()[0].contains("config.yaml"));

        // Missing settings may be in the file, and so may a profile that was chosen.
        let message = refused(home, &complete[..1]);
        assert!(message.contains("config.yaml"), "{message}");
        used(home, &complete, |builder| builder.profile("p1")).unwrap_err();
        let file = home.path().join(".config/scw/config.yaml");
        used(home, &complete, |builder| builder.config_file(file)).unwrap_err();
    }
}

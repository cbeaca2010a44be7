//! Servers that ask who is there, and servers with TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cases;
use crate::server::Servers;

cases! {
    users_and_nkeys, "A user with a password in a file, in the environment, in a URL or in a context, and an nkey, log in; a client without a login is refused in one line.";
    permissions, "A user with the documented permissions can set up and show a UDF; one that lacks a permission is told which.";
    tokens, "A token in a file or in the environment logs in; an invalid one is refused, and never shown.";
    certificates, "TLS with certificates of the server and of the client; a server of an unknown authority is refused in one line.";
}

const SEED: &str = "SUANQDPB2RUOE4ETUA26CNX7FUKE5ZZKFCQIIW63OX225F2CO7UEXTM7ZY";

/// Sets up a UDF with these arguments and variables. Returns the status and stderr.
fn setup(url: &str, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_udf_command"))
        .args(["nats", "setup", "--name", "ma", "--input", "raw", "--output", "out"])
        .args(["--partitions", "1", "--url", url])
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("udf runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn assert_in(url: &str, args: &[&str], env: &[(&str, &str)]) {
    let (code, error) = setup(url, args, env);
    assert_eq!(code, Some(0), "{args:?}: {error}");
}

/// Asserts that the client is refused in one line with this text.
fn assert_out(url: &str, args: &[&str], env: &[(&str, &str)], named: &str) {
    let (code, error) = setup(url, args, env);
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{args:?}: {error}");
    assert!(error.contains(named) && !error.contains("s3cret"), "{error}");
}

fn users_and_nkeys() {
    let key = nkeys::KeyPair::from_seed(SEED).expect("a seed").public_key();
    let users = format!("{{ user: ann, password: s3cret }}, {{ nkey: {key} }}");
    let servers = Servers::with(&format!("authorization {{ users: [{users}] }}"));
    let url = servers.urls();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, text: &str| -> String {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("the file can be written");
        path.display().to_string()
    };
    let (password, nkey) = (file("password", "s3cret\n"), file("nkey", SEED));
    let context = file("c.json", r#"{"user": "ann", "password": "s3cret"}"#);
    assert_in(&url, &["--user", "ann", "--password-file", &password], &[]);
    assert_in(&url, &["--user", "ann"], &[("NATS_PASSWORD", "s3cret")]);
    assert_in(&url, &["--nkey", &nkey], &[]);
    assert_in(&url, &["--context", &context], &[]);
    assert_in(&url.replace("nats://", "nats://ann:s3cret@"), &[], &[]);
    assert_out(&url, &[], &[], "refuses the login");
    assert_out(&url.replace("nats://", "nats://bob:s3cret@"), &[], &[], "of the user `bob`");
    let missing = directory.path().join("none").display().to_string();
    assert_out(&url, &["--nkey", &missing], &[], &missing);
}

fn permissions() {
    let user = |name: &str, subjects: &str| {
        format!(
            "{{ user: {name}, password: s3cret, permissions: {{ publish: [{subjects}], subscribe: \"_INBOX.>\" }} }}"
        )
    };
    let some = r#""$JS.API.>", "udf.ma.>", "out.>""#;
    let all = format!(r#"{some}, "$KV.udf-ma.>""#);
    let users = [user("ann", &all), user("bob", some)].join(", ");
    let servers = Servers::with(&format!("authorization {{ users: [{users}] }}"));
    let url = |name: &str| servers.urls().replace("nats://", &format!("nats://{name}:s3cret@"));
    let lacks = "Permissions Violation for Publish to \"$KV.udf-ma.config\"";
    assert_out(&url("bob"), &["--timeout", "1s"], &[], lacks);
    assert_in(&url("ann"), &[], &[]);
}

fn tokens() {
    let servers = Servers::with("authorization { token: s3cret }");
    let url = servers.urls();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("token");
    fs::write(&path, "s3cret\n").expect("the file can be written");
    let path = path.display().to_string();
    assert_in(&url, &["--token-file", &path], &[]);
    assert_in(&url, &[], &[("NATS_TOKEN", "s3cret")]);
    assert_out(&url, &[], &[("NATS_TOKEN", "s3cret-of-another")], "with a token");
}

fn certificates() {
    let of = |name: &str| -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nats/tls").join(name)
    };
    let (ca, certificate, key) = (of("ca.pem"), of("server.pem"), of("server.key"));
    let servers = Servers::with(&format!(
        "tls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}"
    ));
    let url = servers.urls();
    let text = |name: &str| of(name).display().to_string();
    let (ca, certificate, key) = (text("ca.pem"), text("client.pem"), text("client.key"));
    let client = ["--tls-cert", &certificate, "--tls-key", &key];
    assert_in(&url, &[&client[..], &["--tls-ca", &ca]].concat(), &[]);
    assert_in(&url, &client, &[("NATS_CA", &ca)]);
    // The authority of the server is not one of the system.
    assert_out(&url, &client, &[("SSL_CERT_FILE", &certificate)], "certificate");
    let plain = Servers::one();
    assert_out(&plain.urls(), &["--tls", "--tls-ca", &ca], &[], "TLS");
}

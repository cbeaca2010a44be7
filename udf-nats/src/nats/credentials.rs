//! How a client authenticates, and the files for it, which are read at each connection.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use async_nats::Auth;
use nkeys::KeyPair;

/// How a client authenticates. Files are read again at each connection, so a new secret takes
/// effect without a restart.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Login {
    /// With the user and password, or the token, in the URL of the server, if any.
    #[default]
    OfUrl,
    /// With a user and a password.
    User {
        /// The name of the user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// With a token.
    Token(Secret),
    /// With a file that holds a JWT and the seed of its key, such as `nsc` writes.
    Credentials(PathBuf),
    /// With a file that holds the seed of an NKey.
    Nkey(PathBuf),
}

/// A text that is not logged.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The text itself.
    Text(String),
    /// A file with the text in its first line.
    File(PathBuf),
}

/// Why a file with a secret is unusable. The text never holds the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {}: {why}", path.display())]
pub struct CredentialsError {
    path: PathBuf,
    why: String,
}

impl CredentialsError {
    fn new(path: &Path, why: impl fmt::Display) -> Self {
        CredentialsError { path: path.to_owned(), why: why.to_string() }
    }
}

impl Secret {
    /// Returns the text.
    fn text(&self) -> Result<String, CredentialsError> {
        match self {
            Secret::Text(text) => Ok(text.clone()),
            Secret::File(path) => {
                let text = read(path)?;
                let line = text.lines().next().unwrap_or_default();
                if line.is_empty() {
                    return Err(CredentialsError::new(path, "its first line is empty"));
                }
                Ok(line.to_owned())
            }
        }
    }
}

/// Reads a file with a secret.
fn read(path: &Path) -> Result<String, CredentialsError> {
    fs::read_to_string(path).map_err(|error| CredentialsError::new(path, error))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Text(_) => f.write_str("Text(***)"),
            Secret::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Names the login, without its secret.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Login::OfUrl => f.write_str("without credentials"),
            Login::User { user, .. } => write!(f, "of the user `{user}`"),
            Login::Token(_) => f.write_str("with a token"),
            Login::Credentials(path) => write!(f, "with the credentials in {}", path.display()),
            Login::Nkey(path) => write!(f, "with the nkey in {}", path.display()),
        }
    }
}

impl Login {
    /// Answers the challenge of a server.
    ///
    /// # Errors
    /// If a file is unusable.
    pub(super) fn answer(&self, nonce: &[u8]) -> Result<Auth, CredentialsError> {
        let mut auth = Auth::new();
        match self {
            Login::OfUrl => {}
            Login::User { user, password } => {
                auth.username = Some(user.clone());
                auth.password = Some(password.text()?);
            }
            Login::Token(token) => auth.token = Some(token.text()?),
            Login::Credentials(path) => {
                let text = read(path)?;
                let jwt = block(&text, "NATS USER JWT");
                let seed = block(&text, "USER NKEY SEED");
                let (Some(jwt), Some(seed)) = (jwt, seed) else {
                    let why = "it must have a block `NATS USER JWT` and a block `USER NKEY SEED`, \
                               as `nsc generate creds` writes them";
                    return Err(CredentialsError::new(path, why));
                };
                auth.signature = Some(sign(path, seed, nonce)?.1);
                auth.jwt = Some(jwt.to_owned());
            }
            Login::Nkey(path) => {
                let text = read(path)?;
                let lines = text.lines().map(str::trim);
                let seed = lines.into_iter().find(|line| line.starts_with('S'));
                let seed = seed.ok_or_else(|| {
                    CredentialsError::new(
                        path,
                        "it must have a line with the seed, which begins with `SU`",
                    )
                })?;
                let (key, signature) = sign(path, seed, nonce)?;
                auth.nkey = Some(key);
                auth.signature = Some(signature);
            }
        }
        Ok(auth)
    }
}

/// Returns the public key of a seed, and the signature with it.
fn sign(path: &Path, seed: &str, nonce: &[u8]) -> Result<(String, Vec<u8>), CredentialsError> {
    let signed = KeyPair::from_seed(seed).and_then(|key| Ok((key.public_key(), key.sign(nonce)?)));
    signed.map_err(|error| CredentialsError::new(path, format!("its seed is invalid: {error}")))
}

/// Returns the content of a block between a line `BEGIN` and a line `END` with dashes.
fn block<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let begin = format!("BEGIN {name}");
    let mut lines =
        text.lines().skip_while(|line| !line.starts_with("---") || !line.contains(&begin));
    lines.next()?;
    lines.map(str::trim).find(|line| !line.is_empty()).filter(|line| !line.starts_with("---"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "SUANQDPB2RUOE4ETUA26CNX7FUKE5ZZKFCQIIW63OX225F2CO7UEXTM7ZY";

    fn answer(login: &Login) -> Result<Auth, String> {
        login.answer(b"nonce").map_err(|error| error.to_string())
    }

    fn error(login: &Login) -> String {
        answer(login).err().expect("the file is unusable")
    }

    #[test]
    fn files_are_read_at_each_answer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let login = Login::Token(Secret::File(path.clone()));
        assert!(error(&login).contains("secret"));
        for token in ["old", "new"] {
            fs::write(&path, format!("{token}\n")).unwrap();
            assert_eq!(answer(&login).unwrap().token.as_deref(), Some(token));
        }
        fs::write(&path, "").unwrap();
        assert!(error(&login).contains("first line is empty"));
    }

    #[test]
    fn credentials_and_nkeys_sign_the_challenge() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("creds");
        let creds = format!(
            "-----BEGIN NATS USER JWT-----\neyJ0.a-_b\n------END NATS USER JWT------\n\n\
             *** IMPORTANT ***\n\n-----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n"
        );
        fs::write(&path, creds).unwrap();
        let auth = answer(&Login::Credentials(path.clone())).unwrap();
        assert_eq!(auth.jwt.as_deref(), Some("eyJ0.a-_b"));
        let key = KeyPair::from_seed(SEED).unwrap();
        key.verify(b"nonce", &auth.signature.unwrap()).unwrap();

        fs::write(&path, format!("# a seed\n{SEED}\n")).unwrap();
        let auth = answer(&Login::Nkey(path.clone())).unwrap();
        assert_eq!(auth.nkey, Some(key.public_key()));
        let error = self::error(&Login::Credentials(path.clone()));
        assert!(error.contains("USER NKEY SEED") && !error.contains(SEED), "{error}");
        fs::write(&path, "SUNOTASEED").unwrap();
        let error = self::error(&Login::Nkey(path));
        assert!(error.contains("seed is invalid") && !error.contains("SUNOTASEED"), "{error}");
    }
}

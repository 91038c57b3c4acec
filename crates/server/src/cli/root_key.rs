//! Where the root key's provider comes from: a key file, or a passphrase from a prompt, a file or systemd.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_model::clock::Random;
use strongroom_seal::root::{KeyFileError, PassphraseCost, Provider, key_file};
use strongroom_seal::secret::{SecretBytes, SecretKey};

use crate::storage::DataSetting;

/// The setting `root-key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootKeySetting {
    /// `file:PATH`: a key file, made at first start.
    KeyFile(PathBuf),
    /// `passphrase`: asked for at the terminal.
    Prompt,
    /// `passphrase:PATH`: the first line of a file.
    PassphraseFile(PathBuf),
    /// `credential:NAME`: a passphrase that is a systemd credential.
    Credential(String),
    /// A key that nobody keeps, for data in memory.
    Ephemeral,
}

/// Why there is no provider. Each text names what was looked at.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The data is there but the key file is not: a new one would not open it.
    #[error(
        "key file `{key}` is missing, and there is data in `{data}` that a new key would not open: put the file back, or \
         say with --root-key what the data was sealed with (`passphrase`, another `file:PATH`), or choose another --data"
    )]
    KeyFileGone {
        /// The key file.
        key: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
    /// The passphrase cannot be read.
    #[error("cannot read the passphrase from {from}")]
    Unreadable {
        /// From where.
        from: String,
        /// Why.
        source: std::io::Error,
    },
    /// It lies in the data directory: a copy of the data would hold what opens it.
    #[error("passphrase file `{path}` lies in the data directory `{data}`; keep it elsewhere")]
    InData {
        /// The file.
        path: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
    /// It is too short to protect anything.
    #[error("the passphrase must have at least {PASSPHRASE_BYTES_MIN} bytes")]
    Short,
    /// The second time it was another.
    #[error("the two passphrases differ")]
    Differ,
    /// Not started by systemd with credentials.
    #[error("credential:NAME needs systemd credentials, and CREDENTIALS_DIRECTORY is not set")]
    NoCredentials,
}

impl std::str::FromStr for RootKeySetting {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let named = |name: &str| (!name.is_empty()).then(|| PathBuf::from(name)).ok_or(());
        if let Some(path) = text.strip_prefix("file:") {
            Ok(Self::KeyFile(named(path)?))
        } else if let Some(path) = text.strip_prefix("passphrase:") {
            Ok(Self::PassphraseFile(named(path)?))
        } else if let Some(name) = text.strip_prefix("credential:") {
            // A name, not a path: it must not leave the directory of credentials.
            let plain = !name.contains('/') && name != "." && name != "..";
            named(name).ok().filter(|_| plain).ok_or(())?;
            Ok(Self::Credential(name.to_owned()))
        } else if text == "passphrase" {
            Ok(Self::Prompt)
        } else {
            Err(())
        }
    }
}

impl RootKeySetting {
    /// The default for development: a key file beside the data directory, never in it.
    pub(super) fn beside(data: &DataSetting) -> Self {
        match data {
            DataSetting::Memory => Self::Ephemeral,
            DataSetting::Directory(path) => {
                // `.` and `a/..` have no name to build on, and such a directory is there already.
                let named = match path.file_name() {
                    Some(_) => path.clone(),
                    None => path.canonicalize().unwrap_or_else(|_| path.clone()),
                };
                let mut name = named.file_name().unwrap_or("strongroom".as_ref()).to_owned();
                name.push(".root-key");
                Self::KeyFile(named.with_file_name(name))
            }
        }
    }

    /// The provider to open the root key with or, where the data place `is_new`, to seal a first one with. Blocks
    /// while somebody types.
    pub fn provider(
        &self,
        data: &DataSetting,
        is_new: bool,
        random: &dyn Random,
    ) -> Result<Provider, RootKeyError> {
        let data_dir = match data {
            DataSetting::Memory => None,
            DataSetting::Directory(path) => Some(path.as_path()),
        };
        match self {
            Self::Ephemeral => Ok(Provider::KeyFile(Arc::new(SecretKey::generate(random)))),
            Self::KeyFile(path) => key_file_provider(path, data_dir.filter(|_| !is_new), data_dir, random),
            Self::Prompt => passphrase(prompt(is_new)?),
            Self::PassphraseFile(path) => {
                tell_if_others_may_read(path);
                passphrase(first_line(path, data_dir)?)
            }
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(RootKeyError::NoCredentials)?;
                passphrase(first_line(&PathBuf::from(folder).join(name), data_dir)?)
            }
        }
    }

    /// How the banner names it; never secret.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::KeyFile(path) => {
                format!("key file {} (for development: whoever reads it reads the data)", path.display())
            }
            Self::Prompt => "passphrase".to_owned(),
            Self::PassphraseFile(path) => format!("passphrase from {}", path.display()),
            Self::Credential(name) => format!("passphrase from systemd credential {name}"),
            Self::Ephemeral => "made for this run only".to_owned(),
        }
    }
}

fn key_file_provider(
    path: &Path,
    existing_data: Option<&Path>,
    data_dir: Option<&Path>,
    random: &dyn Random,
) -> Result<Provider, RootKeyError> {
    let key = match (key_file::read(path, data_dir), existing_data) {
        (Err(KeyFileError::Missing { .. }), Some(data)) => {
            return Err(RootKeyError::KeyFileGone { key: path.to_owned(), data: data.to_owned() });
        }
        (Err(KeyFileError::Missing { .. }), None) => key_file::create(path, data_dir, random)?,
        (read, _) => read?,
    };
    Ok(Provider::KeyFile(Arc::new(key)))
}

fn passphrase(bytes: SecretBytes) -> Result<Provider, RootKeyError> {
    if bytes.expose().len() < PASSPHRASE_BYTES_MIN {
        return Err(RootKeyError::Short);
    }
    Ok(Provider::Passphrase { passphrase: Arc::new(bytes), cost: PassphraseCost::default() })
}

fn prompt(twice: bool) -> Result<SecretBytes, RootKeyError> {
    let ask = |question: &str| {
        let typed = rpassword::prompt_password(question)
            .map_err(|source| RootKeyError::Unreadable { from: "the terminal".to_owned(), source })?;
        Ok(SecretBytes::new(typed.into_bytes()))
    };
    if !twice {
        return ask("Passphrase: ");
    }
    let first = ask("New passphrase (there is no way back without it): ")?;
    let second = ask("The same again: ")?;
    if first.expose() == second.expose() { Ok(first) } else { Err(RootKeyError::Differ) }
}

// Not refused, as a key file is: secrets that an orchestrator mounts often have such a mode, in a place of their own.
fn tell_if_others_may_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o7777);
    if mode & 0o077 != 0 {
        let mode = format!("{mode:04o}");
        tracing::warn!(path = %path.display(), mode, "others may use the passphrase file; make its mode 0600");
    }
}

fn first_line(path: &Path, data_dir: Option<&Path>) -> Result<SecretBytes, RootKeyError> {
    use std::io::Read;
    let failed = |source| RootKeyError::Unreadable { from: format!("`{}`", path.display()), source };
    if let Some(data) = data_dir
        && key_file::lies_in(path, data).map_err(failed)?
    {
        return Err(RootKeyError::InData { path: path.to_owned(), data: data.to_owned() });
    }
    // Read into one buffer that is large enough, so that no copy stays behind when it grows.
    let mut bytes = SecretBytes::zeroed(PASSPHRASE_BYTES_MAX);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut length = 0;
    while length < PASSPHRASE_BYTES_MAX {
        match file.read(&mut bytes.expose_mut()[length..]).map_err(failed)? {
            0 => break,
            count => length += count,
        }
    }
    let text = &bytes.expose()[..length];
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(length);
    let line = text[..end].strip_suffix(b"\r").unwrap_or(&text[..end]);
    Ok(SecretBytes::new(line.to_vec()))
}

const PASSPHRASE_BYTES_MIN: usize = 8;
const PASSPHRASE_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use strongroom_seal::primitive::OsRandom;

    use super::*;

    #[test]
    fn providers_are_read_from_their_text() {
        assert_eq!("file:a/b".parse(), Ok(RootKeySetting::KeyFile("a/b".into())));
        assert_eq!("passphrase".parse(), Ok(RootKeySetting::Prompt));
        assert_eq!("passphrase:p".parse(), Ok(RootKeySetting::PassphraseFile("p".into())));
        assert_eq!("credential:c".parse(), Ok(RootKeySetting::Credential("c".into())));
        for text in ["", "file:", "passphrase:", "credential:", "credential:../x", "credential:..", "x"] {
            assert_eq!(text.parse::<RootKeySetting>(), Err(()), "{text}");
        }
    }

    #[test]
    fn the_default_key_file_lies_beside_the_data() {
        let beside = |path: &str| RootKeySetting::beside(&DataSetting::Directory(path.into()));
        assert_eq!(beside("./strongroom-data"), RootKeySetting::KeyFile("./strongroom-data.root-key".into()));
        assert_eq!(beside("/srv/data/"), RootKeySetting::KeyFile("/srv/data.root-key".into()));
        // A directory that is named by no name of its own has one.
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("data/inner")).unwrap();
        let data = folder.path().join("data").canonicalize().unwrap();
        let expected = RootKeySetting::KeyFile(data.with_file_name("data.root-key"));
        assert_eq!(beside(&format!("{}/inner/..", data.display())), expected);
    }

    /// A lost key file must not be replaced in silence: the data would stay shut for ever.
    #[test]
    fn a_missing_key_file_is_not_made_anew_beside_existing_data() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let key = RootKeySetting::KeyFile(folder.path().join("key"));
        let setting = DataSetting::Directory(data);
        key.provider(&setting, true, &OsRandom).unwrap();
        key.provider(&setting, false, &OsRandom).unwrap();
        std::fs::remove_file(folder.path().join("key")).unwrap();
        assert!(matches!(key.provider(&setting, false, &OsRandom), Err(RootKeyError::KeyFileGone { .. })));
        assert!(!folder.path().join("key").exists());
    }

    #[test]
    fn a_passphrase_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        for (content, line) in
            [("correct horse\r\nnot this", "correct horse"), ("battery staple", "battery staple")]
        {
            std::fs::write(&path, content).unwrap();
            assert_eq!(first_line(&path, None).unwrap().expose(), line.as_bytes());
        }
        std::fs::write(&path, "short\n").unwrap();
        let refused = RootKeySetting::PassphraseFile(path).provider(&DataSetting::Memory, true, &OsRandom);
        assert!(matches!(refused, Err(RootKeyError::Short)));
    }

    /// Who copies the data directory must not copy what opens it.
    #[test]
    fn a_passphrase_in_the_data_directory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("passphrase"), "correct horse").unwrap();
        std::os::unix::fs::symlink(data.join("passphrase"), folder.path().join("link")).unwrap();
        for path in [data.join("passphrase"), folder.path().join("link")] {
            let refused = RootKeySetting::PassphraseFile(path).provider(
                &DataSetting::Directory(data.clone()),
                true,
                &OsRandom,
            );
            assert!(matches!(refused, Err(RootKeyError::InData { .. })));
        }
    }
}

//! Settings: what can be set, where it can be set, and what holds when nobody sets it.
//!
//! Each one is a flag, an environment variable and a key of the settings file.
//! The flag wins over the variable, the variable over the file, the file over
//! the default. `docs/settings.md` says the same for readers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use strongroom_model::arn::is_account_id;

use crate::engine::{CallerRules, CallerScope, Renewal};
use crate::storage::DataSetting;
use crate::wire::{Limits, tls};

use super::root_key::RootKeySetting;

/// What the operator has said, in one place of several; nothing means "not said here".
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Development: any credentials, cleartext HTTP, loopback only
    #[arg(long, env = "STRONGROOM_DEV", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_parser = BoolishValueParser::new())]
    dev: Option<bool>,
    /// Address (or `localhost`, which is 127.0.0.1) and port to listen on; port 0 picks one [default: 127.0.0.1:8000]
    #[arg(long, env = "STRONGROOM_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<ListenAddress>,
    /// Data directory, or `memory:` to keep nothing [default: ./strongroom-data]
    #[arg(long, env = "STRONGROOM_DATA", value_name = "DIR|memory:")]
    data: Option<String>,
    /// What seals the root key: `file:PATH`, `passphrase` (asks), `passphrase:PATH` or `credential:NAME` (systemd)
    #[arg(long, env = "STRONGROOM_ROOT_KEY", value_name = "PROVIDER")]
    root_key: Option<String>,
    /// The account, twelve digits [default: 000000000000]
    #[arg(long, env = "STRONGROOM_ACCOUNT_ID", value_name = "DIGITS")]
    account_id: Option<String>,
    /// Serve without TLS outside `--dev`; signatures are checked all the same
    #[arg(long, env = "STRONGROOM_CLEARTEXT", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_parser = BoolishValueParser::new())]
    cleartext: Option<bool>,
    /// TLS certificate chain, PEM; without one a certificate is made at first start
    #[arg(long, env = "STRONGROOM_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The private key of the TLS certificate, PEM
    #[arg(long, env = "STRONGROOM_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Further DNS names and addresses for the certificate that is made at first start
    #[arg(long, env = "STRONGROOM_TLS_NAMES", value_name = "NAME", value_delimiter = ',')]
    tls_names: Option<Vec<String>>,
    /// Endpoint of another key service for customers' keys, instead of the one in this process
    #[arg(long, env = "STRONGROOM_KMS_ENDPOINT", value_name = "URL")]
    kms_endpoint: Option<String>,
    /// What counts as one caller for the table-key cache [default: caller]
    #[arg(long, env = "STRONGROOM_TABLE_KEY_CACHE_SCOPE", value_name = "SCOPE")]
    table_key_cache_scope: Option<TableKeyCacheScope>,
    /// What a table key's renewal time counts from [default: ttl]
    #[arg(long, env = "STRONGROOM_TABLE_KEY_CACHE_RENEWAL", value_name = "MODE")]
    table_key_cache_renewal: Option<TableKeyCacheRenewal>,
    /// Seconds until a caller's table key is decrypted anew by the key service, 1 to 300 [default: 300]
    #[arg(long, env = "STRONGROOM_TABLE_KEY_CACHE_RENEWAL_SECS", value_name = "SECONDS")]
    table_key_cache_renewal_secs: Option<u32>,
    /// Hours that a table key serves while the key service does not answer, 0 to 12 [default: 12]
    #[arg(long, env = "STRONGROOM_TABLE_KEY_CACHE_OUTAGE_HOURS_MAX", value_name = "HOURS")]
    table_key_cache_outage_hours_max: Option<u32>,
    /// Whether a change of a key's state takes effect at once [default: true]
    #[arg(long, env = "STRONGROOM_PUSH_KEY_STATE", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_parser = BoolishValueParser::new())]
    push_key_state: Option<bool>,
    /// Changes of a table's key in 24 hours [default: 4]
    #[arg(long, env = "STRONGROOM_KEY_SWITCHES_PER_DAY_MAX", value_name = "COUNT")]
    key_switches_per_day_max: Option<u32>,
    /// Seconds that a table's `CREATING`, `UPDATING` and `DELETING` last, 0 to 3600 [default: 0]
    #[arg(long, env = "STRONGROOM_STATUS_DELAY_SECS", value_name = "SECONDS")]
    status_delay_secs: Option<u32>,
    /// Memory for items, bytes [default: 67108864]
    #[arg(long, env = "STRONGROOM_ITEM_CACHE_BYTES", value_name = "BYTES")]
    item_cache_bytes: Option<u64>,
    /// Memory for decrypted blocks, bytes [default: 134217728]
    #[arg(long, env = "STRONGROOM_BLOCK_CACHE_BYTES", value_name = "BYTES")]
    block_cache_bytes: Option<u64>,
    /// Seconds until an unused table is closed and its keys are wiped [default: 300]
    #[arg(long, env = "STRONGROOM_IDLE_TABLE_SECS", value_name = "SECONDS")]
    idle_table_secs: Option<u32>,
    /// Connections open at once [default: 10000]
    #[arg(long, env = "STRONGROOM_CONNECTIONS_MAX", value_name = "COUNT")]
    connections_max: Option<u32>,
    /// Seconds that a connection may be open without a request [default: 900]
    #[arg(long, env = "STRONGROOM_IDLE_CONNECTION_SECS", value_name = "SECONDS")]
    idle_connection_secs: Option<u32>,
    /// What is logged to standard error, such as `info` or `strongroom_server::engine=debug` [default: info]
    #[arg(long, env = "STRONGROOM_LOG", value_name = "FILTER")]
    log: Option<String>,
}

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Development: any credentials, loopback only.
    pub dev: bool,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the data lives.
    pub data: DataSetting,
    /// What seals the root key.
    pub root_key: RootKeySetting,
    /// The account, twelve digits, where one was named.
    pub account_id: Option<String>,
    /// Whether this start makes an access key in place of the earlier ones; only ever said for one start.
    pub replace_access_key: bool,
    /// How connections are protected.
    pub transport: Transport,
    /// The key service for customers' keys, when it is not the one in this process.
    pub kms_endpoint: Option<String>,
    /// What counts as one caller for the table-key cache.
    pub table_key_cache_scope: TableKeyCacheScope,
    /// What the renewal time of a table key counts from.
    pub table_key_cache_renewal: TableKeyCacheRenewal,
    /// When a caller's table key is renewed; more would break the promise that a change of a key policy takes effect in five minutes.
    pub table_key_cache_renewal_time: Duration,
    /// How long a cached table key serves while the key service does not answer.
    pub table_key_cache_outage_max: Duration,
    /// Whether a change of a key's state takes effect at once, rather than at the callers' next renewal.
    pub push_key_state: bool,
    /// Changes of a table's key in 24 hours.
    pub key_switches_per_day_max: usize,
    /// How long a table's `CREATING`, `UPDATING` and `DELETING` last.
    pub status_delay: Duration,
    /// Memory for items.
    pub item_cache_bytes: u64,
    /// Memory for decrypted blocks.
    pub block_cache_bytes: u64,
    /// When an unused table is closed and its keys are wiped.
    pub idle_table_time: Duration,
    /// Bounds of the wire.
    pub limits: Limits,
    /// The log's filter.
    pub log: String,
}

/// How connections are protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Not at all.
    Cleartext,
    /// TLS with the operator's certificate.
    OwnCertificate {
        /// The chain, PEM.
        cert: PathBuf,
        /// The private key, PEM.
        key: PathBuf,
    },
    /// TLS with a certificate made at first start.
    MadeCertificate {
        /// Names in it besides `localhost`, the host's name and the address listened on.
        names: Vec<String>,
    },
}

/// What counts as one caller for the table-key cache.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TableKeyCacheScope {
    /// One credential.
    #[default]
    Caller,
    /// One identity, whatever credential it uses.
    Principal,
    /// One connection.
    Connection,
}

/// What the renewal time of a table key counts from.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TableKeyCacheRenewal {
    /// Its last Decrypt.
    #[default]
    Ttl,
    /// Its last use.
    Idle,
}

/// Where to listen, as it is written. Of all names only `localhost` is one: nobody is asked what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ListenAddress(SocketAddr);

impl std::str::FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = match text.rsplit_once(':') {
            Some((host, port)) if host.eq_ignore_ascii_case("localhost") => {
                // Digits only: a number may have a sign before it.
                let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
                port.parse().ok().filter(|_| is_number).map(|port| SocketAddr::new(DEFAULT_LISTEN.ip(), port))
            }
            _ => text.parse().ok(),
        };
        address.map(Self).ok_or(ListenAddressError)
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = ListenAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// What is written is no address.
#[derive(Debug, thiserror::Error)]
#[error("it must be an address and a port, such as 127.0.0.1:8000 or [::1]:8000, or localhost:8000")]
pub struct ListenAddressError;

/// Why the settings do not hold together. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file cannot be read.
    #[error("cannot read the settings file `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The settings file is not what it should be.
    #[error("the settings file `{path}` is not valid")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: Box<toml::de::Error>,
    },
    /// A value is out of bounds.
    #[error("`{name}` must be {must_be}")]
    Bounds {
        /// The setting's name as a flag, without dashes in front.
        name: &'static str,
        /// What it must be.
        must_be: &'static str,
    },
    /// The root key's provider is none.
    #[error("`root-key` must be file:PATH, passphrase, passphrase:PATH or credential:NAME")]
    RootKey,
    /// Outside `--dev` the choice is the operator's.
    #[error(
        "choose what seals the root key with --root-key: `passphrase` asks for one at each start, \
         `passphrase:PATH` reads one from a file, `credential:NAME` from a systemd credential, \
         `file:PATH` keeps the key in a file, for development; or run with --dev"
    )]
    NoRootKey,
    /// Development mode takes any credentials, so nobody else may reach it.
    #[error(
        "--dev accepts any credentials and so listens on loopback only, not on {0}; \
         leave out --dev to listen there"
    )]
    DevNotLoopback(SocketAddr),
    /// There are no access keys in development.
    #[error("--dev accepts any credentials: there is no access key to replace")]
    DevAccessKey,
    /// Half of a certificate.
    #[error("--tls-cert and --tls-key go together")]
    HalfCertificate,
    /// Two answers to one question.
    #[error("--cleartext and a TLS certificate exclude each other")]
    ClearCertificate,
    /// Names for a certificate that nobody makes.
    #[error(
        "--tls-names is for the certificate that the server makes: leave it out with --dev, --cleartext or \
         --tls-cert"
    )]
    NamesWithoutCertificate,
    /// Nowhere to keep a certificate.
    #[error(
        "with `--data memory:` there is nowhere to keep a TLS certificate: give --tls-cert and --tls-key, or --cleartext"
    )]
    MemoryCertificate,
}

impl Given {
    /// What a settings file says, in TOML; unknown keys are refused.
    pub fn from_file(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::File { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|source| SettingsError::Syntax { path: path.to_owned(), source: Box::new(source) })
    }

    /// The settings that hold when `self` is said and, where it says nothing, `below`.
    pub fn over(self, below: Self) -> Result<Settings, SettingsError> {
        macro_rules! said {
            ($name:ident) => {
                self.$name.or(below.$name)
            };
        }
        let dev = said!(dev).unwrap_or(false);
        let listen = said!(listen).map_or(DEFAULT_LISTEN, |ListenAddress(address)| address);
        if dev && !listen.ip().to_canonical().is_loopback() {
            return Err(SettingsError::DevNotLoopback(listen));
        }
        let data = match said!(data).as_deref() {
            None => DataSetting::Directory(PathBuf::from(DEFAULT_DATA)),
            Some("") => return Err(bounds("data", "a directory or `memory:`")),
            Some("memory:") => DataSetting::Memory,
            Some(directory) => DataSetting::Directory(PathBuf::from(directory)),
        };
        let root_key = match said!(root_key) {
            Some(text) => text.parse().map_err(|()| SettingsError::RootKey)?,
            None if dev => RootKeySetting::beside(&data),
            None => return Err(SettingsError::NoRootKey),
        };
        let account_id = said!(account_id);
        if account_id.as_deref().is_some_and(|id| !is_account_id(id)) {
            return Err(bounds("account-id", "twelve digits"));
        }
        let cleartext = said!(cleartext).unwrap_or(false);
        let tls_names: Vec<String> = said!(tls_names).unwrap_or_default();
        let tls_names: Vec<String> = tls_names.into_iter().filter(|name| !name.is_empty()).collect();
        if !tls_names.iter().all(|name| tls::is_certificate_name(name)) {
            return Err(bounds("tls-names", "DNS names, with or without `*.` before them, or addresses"));
        }
        let transport = match (said!(tls_cert), said!(tls_key)) {
            (Some(_), Some(_)) if cleartext => return Err(SettingsError::ClearCertificate),
            (Some(cert), Some(key)) => Transport::OwnCertificate { cert, key },
            (None, None) if dev || cleartext => Transport::Cleartext,
            (None, None) if data == DataSetting::Memory => return Err(SettingsError::MemoryCertificate),
            (None, None) => Transport::MadeCertificate { names: tls_names.clone() },
            _ => return Err(SettingsError::HalfCertificate),
        };
        if !tls_names.is_empty() && !matches!(transport, Transport::MadeCertificate { .. }) {
            return Err(SettingsError::NamesWithoutCertificate);
        }
        let kms_endpoint = said!(kms_endpoint).filter(|endpoint| !endpoint.is_empty());
        if kms_endpoint
            .as_ref()
            .is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://"))
        {
            return Err(bounds("kms-endpoint", "a URL that starts with http:// or https://"));
        }
        let secs = |value: u32| Duration::from_secs(u64::from(value));
        let renewal_secs = said!(table_key_cache_renewal_secs).unwrap_or(300);
        if !(1..=300).contains(&renewal_secs) {
            return Err(bounds("table-key-cache-renewal-secs", "1 to 300"));
        }
        let outage_hours = said!(table_key_cache_outage_hours_max).unwrap_or(12);
        if outage_hours > 12 {
            return Err(bounds("table-key-cache-outage-hours-max", "0 to 12"));
        }
        let idle_table_secs = said!(idle_table_secs).unwrap_or(300);
        if idle_table_secs == 0 {
            return Err(bounds("idle-table-secs", "at least 1"));
        }
        let connections_max = said!(connections_max).unwrap_or(10_000);
        if !(1..=1_000_000).contains(&connections_max) {
            return Err(bounds("connections-max", "1 to 1000000"));
        }
        let idle_connection_secs = said!(idle_connection_secs).unwrap_or(900);
        if !(10..=86_400).contains(&idle_connection_secs) {
            return Err(bounds("idle-connection-secs", "10 to 86400"));
        }
        let key_switches = said!(key_switches_per_day_max).unwrap_or(4);
        if !(1..=10_000).contains(&key_switches) {
            return Err(bounds("key-switches-per-day-max", "1 to 10000"));
        }
        let status_delay_secs = said!(status_delay_secs).unwrap_or(0);
        if status_delay_secs > 3600 {
            return Err(bounds("status-delay-secs", "0 to 3600"));
        }
        Ok(Settings {
            dev,
            listen,
            data,
            root_key,
            account_id,
            replace_access_key: false,
            transport,
            kms_endpoint,
            table_key_cache_scope: said!(table_key_cache_scope).unwrap_or_default(),
            table_key_cache_renewal: said!(table_key_cache_renewal).unwrap_or_default(),
            table_key_cache_renewal_time: secs(renewal_secs),
            table_key_cache_outage_max: secs(outage_hours * 3600),
            push_key_state: said!(push_key_state).unwrap_or(true),
            key_switches_per_day_max: key_switches as usize,
            status_delay: secs(status_delay_secs),
            item_cache_bytes: said!(item_cache_bytes).unwrap_or(64 << 20),
            block_cache_bytes: said!(block_cache_bytes).unwrap_or(128 << 20),
            idle_table_time: secs(idle_table_secs),
            limits: Limits {
                connections_max: connections_max as usize,
                idle_timeout: secs(idle_connection_secs),
                ..Limits::default()
            },
            log: said!(log).unwrap_or_else(|| "info".to_owned()),
        })
    }
}

impl Settings {
    /// The table-key cache's rules, as the engine takes them.
    pub(super) fn caller_rules(&self) -> CallerRules {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        CallerRules {
            scope: match self.table_key_cache_scope {
                TableKeyCacheScope::Caller => CallerScope::Caller,
                TableKeyCacheScope::Principal => CallerScope::Principal,
                TableKeyCacheScope::Connection => CallerScope::Connection,
            },
            renewal: match self.table_key_cache_renewal {
                TableKeyCacheRenewal::Ttl => Renewal::Ttl,
                TableKeyCacheRenewal::Idle => Renewal::Idle,
            },
            renewal_millis: millis(self.table_key_cache_renewal_time),
            outage_millis_max: millis(self.table_key_cache_outage_max),
        }
    }

    /// Development settings over `data` on a port of the system's choice: what `demo` and tests start with.
    pub fn dev(data: DataSetting) -> Self {
        let given = Given {
            dev: Some(true),
            listen: Some(ListenAddress(SocketAddr::new(DEFAULT_LISTEN.ip(), 0))),
            data: Some(data.to_string()),
            ..Given::default()
        };
        given.over(Given::default()).expect("development settings hold together")
    }
}

fn bounds(name: &'static str, must_be: &'static str) -> SettingsError {
    SettingsError::Bounds { name, must_be }
}

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8000);
const DEFAULT_DATA: &str = "./strongroom-data";
/// The account where none is named.
pub(super) const DEFAULT_ACCOUNT: &str = "000000000000";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        given: Given,
    }

    fn given(line: &str) -> Given {
        let words = std::iter::once("strongroom").chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().given
    }

    fn settings(line: &str, file: &str) -> Result<Settings, SettingsError> {
        given(line).over(toml::from_str(file).unwrap())
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_the_file_over_the_default() {
        let file = "listen = \"127.0.0.1:9000\"\naccount_id = \"111122223333\"\ntable_key_cache_scope = \"connection\"";
        let both = settings("--dev --listen 127.0.0.1:9001", file).unwrap();
        assert_eq!(both.listen.port(), 9001);
        assert_eq!(both.account_id.as_deref(), Some("111122223333"));
        assert_eq!(both.table_key_cache_scope, TableKeyCacheScope::Connection);
        assert_eq!(both.table_key_cache_renewal_time, Duration::from_secs(300));
        assert!(both.push_key_state);
        assert!(!settings("--dev --push-key-state=false", "").unwrap().push_key_state);
        assert!(!settings("--dev=false --root-key file:k --cleartext", "dev = true").unwrap().dev);
    }

    #[test]
    fn unknown_keys_of_the_file_are_refused() {
        let error = toml::from_str::<Given>("lisen = \"127.0.0.1:9000\"").unwrap_err();
        assert!(error.to_string().contains("lisen"), "{error}");
    }

    #[test]
    fn localhost_is_the_only_name_to_listen_on() {
        for (text, address) in [
            ("localhost:8000", "127.0.0.1:8000"),
            ("LocalHost:0", "127.0.0.1:0"),
            ("0.0.0.0:9", "0.0.0.0:9"),
            ("[::1]:9", "[::1]:9"),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(
                settings(&format!("--dev=false --root-key file:k --listen {text}"), "").unwrap().listen,
                address
            );
            let file = format!("listen = \"{text}\"");
            assert_eq!(settings("--root-key file:k", &file).unwrap().listen, address, "{text}");
        }
        for text in [
            "localhost",
            "localhost:",
            "localhost:+1",
            "localhost:65536",
            "localhost.:1",
            "strongroom:8000",
            ":80",
            "80",
            "",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
            let error = toml::from_str::<Given>(&format!("listen = \"{text}\"")).unwrap_err();
            assert!(error.to_string().contains("or localhost:8000"), "{error}");
        }
    }

    #[test]
    fn development_is_for_loopback_only() {
        for listen in ["0.0.0.0:8000", "192.168.1.1:8000", "[::]:8000"] {
            let refused = settings(&format!("--dev --listen {listen}"), "");
            assert!(matches!(refused, Err(SettingsError::DevNotLoopback(_))), "{listen}");
        }
        for listen in ["127.0.0.1:0", "[::1]:0", "127.9.9.9:1"] {
            assert!(settings(&format!("--dev --listen {listen}"), "").is_ok(), "{listen}");
        }
    }

    #[test]
    fn without_dev_the_root_key_is_the_operators_choice_and_tls_the_default() {
        assert!(matches!(settings("", ""), Err(SettingsError::NoRootKey)));
        let plain = settings("--root-key passphrase", "").unwrap();
        assert_eq!(plain.transport, Transport::MadeCertificate { names: vec![] });
        let clear = settings("--root-key passphrase --cleartext", "").unwrap();
        assert_eq!(clear.transport, Transport::Cleartext);
        assert!(matches!(
            settings("--root-key file:k --tls-cert c", ""),
            Err(SettingsError::HalfCertificate)
        ));
        let both = "--root-key file:k --tls-cert c --tls-key k --cleartext";
        assert!(matches!(settings(both, ""), Err(SettingsError::ClearCertificate)));
        let named = settings("--root-key passphrase --tls-names db.example,10.0.0.1", "").unwrap();
        let names = vec!["db.example".to_owned(), "10.0.0.1".to_owned()];
        assert_eq!(named.transport, Transport::MadeCertificate { names });
        for line in ["--dev", "--root-key file:k --cleartext", "--root-key file:k --tls-cert c --tls-key k"] {
            let refused = settings(&format!("{line} --tls-names db.example"), "");
            assert!(matches!(refused, Err(SettingsError::NamesWithoutCertificate)), "{line}");
        }
        let memory = "--root-key file:k --data memory:";
        assert!(matches!(settings(memory, ""), Err(SettingsError::MemoryCertificate)));
    }

    #[test]
    fn bounds_are_checked() {
        for line in [
            "--dev --account-id 12",
            "--dev --account-id 12345678901x",
            "--dev --table-key-cache-renewal-secs 301",
            "--dev --table-key-cache-renewal-secs 0",
            "--dev --table-key-cache-outage-hours-max 13",
            "--dev --connections-max 0",
            "--dev --kms-endpoint localhost:8000",
            "--root-key file:k --tls-names db.example,db/example",
        ] {
            assert!(matches!(settings(line, ""), Err(SettingsError::Bounds { .. })), "{line}");
        }
        assert!(matches!(settings("--dev --root-key hsm:1", ""), Err(SettingsError::RootKey)));
    }

    /// A setting that cannot be found in the documentation does not exist.
    #[test]
    fn every_setting_is_documented_with_all_its_names() {
        let text = include_str!("../../../../docs/settings.md");
        for argument in Line::command().get_arguments().filter(|argument| argument.get_id() != "help") {
            let flag = format!("`--{}", argument.get_long().unwrap());
            assert!(text.contains(&flag), "{flag} is not in docs/settings.md");
            let variable = argument.get_env().unwrap().to_str().unwrap();
            assert_eq!(variable, format!("STRONGROOM_{}", argument.get_id().as_str().to_uppercase()));
        }
    }
}

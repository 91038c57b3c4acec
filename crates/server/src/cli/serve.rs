//! `strongroom serve`: the app behind the wire, from start to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use strongroom_model::clock::{Clock, Random};
use strongroom_seal::primitive::OsRandom;
use strongroom_seal::root::Provider;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::descriptors;
use super::settings::{DEFAULT_ACCOUNT, Settings, Transport};
use crate::app::{App, AppOptions, StartError};
use crate::auth::{Authenticator, Credentials, CredentialsError, NewAccessKey};
use crate::clock::SystemClock;
use crate::storage::{DataSetting, Place, StorageError};
use crate::wire::tls::{self, TlsError};
use crate::wire::{Limits, Server, Wiring};

/// A server that runs in this process.
pub struct Serving {
    app: App,
    server: Server,
    clock: Arc<SystemClock>,
    url: String,
    account: Arc<str>,
    new_access_key: Option<NewAccessKey>,
    ca_file: Option<PathBuf>,
}

// What stands between the socket and the app.
struct Front {
    authenticator: Authenticator,
    account: Arc<str>,
    new_access_key: Option<NewAccessKey>,
    tls: Option<tls::Tls>,
}

/// The port and the data place, taken before a root key is made: where one of them is refused, no key is left behind,
/// and of several starts on one directory all but one say that it is in use.
pub struct Claim {
    listener: TcpListener,
    place: Arc<Place>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port, most often: another process has it.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something else stands where the data directory should be.
    #[error("the data directory `{data}` cannot be made: `{blocked}` is not a directory")]
    DataBlocked {
        /// The data directory.
        data: PathBuf,
        /// What is in the way.
        blocked: PathBuf,
    },
    /// The data place, the root key or what is stored.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The credentials in the system store.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// An account was named that no caller could be in.
    #[error(
        "the access keys of this data are of account {kept}, not {named}: leave out --account-id, or have a new one \
         made in account {named}, which owns no table or key of the other, with --replace-access-key"
    )]
    OtherAccount {
        /// The account that was asked for.
        named: String,
        /// The account of the access keys.
        kept: Arc<str>,
    },
    /// The TLS certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Claim {
    /// Takes both, the port first: whoever starts a second server by mistake should learn it before data is touched.
    pub async fn take(settings: &Settings) -> Result<Self, ServeError> {
        let listen_failed = |source| ServeError::Listen { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(listen_failed)?;
        if let DataSetting::Directory(data) = &settings.data
            && let Some(blocked) = data.ancestors().find(|path| path.exists() && !path.is_dir())
        {
            return Err(ServeError::DataBlocked { data: data.clone(), blocked: blocked.to_owned() });
        }
        let place = Place::open(&settings.data).map_err(StartError::from)?;
        Ok(Self { listener, place: Arc::new(place) })
    }

    /// Whether nothing is stored there yet, so that there is no root key either.
    pub fn is_new(&self) -> bool {
        self.place.directory().is_none_or(|directory| {
            std::fs::read_dir(directory.join("store")).is_ok_and(|mut stored| stored.next().is_none())
        })
    }
}

impl Serving {
    /// Opens the app and serves it; returns once it takes requests. `root` comes from the setting `root_key`.
    pub async fn start(settings: &Settings, claim: Claim, root: Provider) -> Result<Self, ServeError> {
        let listen_failed = |source| ServeError::Listen { address: settings.listen, source };
        let Claim { listener, place } = claim;
        let address = listener.local_addr().map_err(listen_failed)?;
        let clock = Arc::new(SystemClock::default());
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        let options = app_options(settings, root, Arc::clone(&clock) as Arc<dyn Clock>, Arc::clone(&random));
        let app = App::open(place, options).await?;
        let opened = Self::open_front(settings, &app, &clock, &*random).await;
        let Front { authenticator, account, new_access_key, tls } = match opened {
            Ok(opened) => opened,
            Err(error) => {
                app.close().await;
                return Err(error);
            }
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", reachable(address));
        let (tls, ca_file) = tls.map_or((None, None), |made| (Some(made.config), made.ca_file));
        let connections_max = descriptors::connections_max(settings.limits.connections_max);
        let wiring = Wiring {
            app: Arc::new(app.clone()),
            authenticator,
            random,
            limits: Limits { connections_max, ..settings.limits.clone() },
            tls,
            movable_clock: settings.dev.then(|| Arc::clone(&clock)),
        };
        let server = Server::start(listener, wiring).map_err(listen_failed)?;
        Ok(Self { app, server, clock, url, account, new_access_key, ca_file })
    }

    async fn open_front(
        settings: &Settings,
        app: &App,
        clock: &Arc<SystemClock>,
        random: &dyn Random,
    ) -> Result<Front, ServeError> {
        let named = settings.account_id.as_deref();
        let (authenticator, account, new_access_key) = if settings.dev {
            let account = named.unwrap_or(DEFAULT_ACCOUNT);
            (Authenticator::dev(account), Arc::from(account), None)
        } else {
            let credentials = Credentials::load(&app.parts().system).await?;
            let kept = credentials.account();
            let account = named.or(kept.as_deref()).unwrap_or(DEFAULT_ACCOUNT);
            let new = match &kept {
                Some(kept) if !settings.replace_access_key => {
                    if **kept != *account {
                        let (named, kept) = (account.to_owned(), Arc::clone(kept));
                        return Err(ServeError::OtherAccount { named, kept });
                    }
                    None
                }
                _ => Some(credentials.replace_all(account, random)),
            };
            let clock = Arc::clone(clock) as Arc<dyn Clock>;
            (Authenticator::checked(Arc::new(credentials), clock), Arc::from(account), new)
        };
        let tls = match (&settings.transport, &settings.data) {
            (Transport::Cleartext, _) => None,
            (Transport::OwnCertificate { cert, key }, _) => Some(tls::from_files(cert, key)?),
            (Transport::MadeCertificate { names }, DataSetting::Directory(directory)) => {
                Some(tls::made_in(&directory.join("tls"), settings.listen.ip(), names, clock.now_millis())?)
            }
            (Transport::MadeCertificate { .. }, DataSetting::Memory) => {
                unreachable!("settings refuse a made certificate without a directory")
            }
        };
        Ok(Front { authenticator, account, new_access_key, tls })
    }

    /// Where clients reach it, such as `http://127.0.0.1:8000`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address it listens on, with the port that was picked.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The app behind it.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Its clock.
    pub fn clock(&self) -> &Arc<SystemClock> {
        &self.clock
    }

    /// The account that callers are in.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The access key that this start has made, to be shown once and then kept.
    pub fn new_access_key(&self) -> Option<&NewAccessKey> {
        self.new_access_key.as_ref()
    }

    /// Makes the access key of this start last, once it was shown.
    pub async fn keep_new_access_key(&self) -> Result<(), StorageError> {
        match &self.new_access_key {
            Some(key) => key.keep(&self.app.parts().system).await,
            None => Ok(()),
        }
    }

    /// The CA certificate that clients must trust, if this server made its own.
    pub fn ca_file(&self) -> Option<&std::path::Path> {
        self.ca_file.as_deref()
    }

    /// Lets requests in flight finish, then closes the app.
    pub async fn stop(self) {
        self.server.stop().await;
        self.app.close().await;
    }
}

fn app_options(
    settings: &Settings,
    root: Provider,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> AppOptions {
    let millis = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    AppOptions {
        root,
        kms_endpoint: settings.kms_endpoint.clone(),
        callers: settings.caller_rules(),
        push_key_state: settings.push_key_state,
        item_cache_bytes: settings.item_cache_bytes,
        block_cache_bytes: settings.block_cache_bytes,
        idle_millis: millis(settings.idle_table_time),
        switches_per_day_max: settings.key_switches_per_day_max,
        status_millis: millis(settings.status_delay),
        clock,
        random,
    }
}

// An address to connect to: a server that listens everywhere is reached at loopback too.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        std::net::IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Resolves at the first SIGTERM or SIGINT; a second one ends the process at once.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests in flight finish first");
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("stopped at once; what was acknowledged is on disk");
            std::process::exit(1);
        });
    })
}

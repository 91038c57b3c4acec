//! What `serve` prints when it is up: where it is, what it keeps, how to use it.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};

use super::serve::Serving;
use super::settings::{Settings, Transport};
use crate::storage::DataSetting;

/// Prints all but the last line. Fails where a new access key would be shown to nobody.
pub(super) fn print(settings: &Settings, serving: &Serving) -> std::io::Result<()> {
    if serving.new_access_key().is_some() && goes_nowhere(std::io::stdout().as_fd())? {
        return Err(std::io::Error::other(
            "an access key was made and nobody would see it: standard output is closed or is /dev/null. \
             Nothing was kept; start again with a standard output that is read",
        ));
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text(settings, serving).as_bytes())?;
    out.flush()
}

/// Prints the last line, for programs that wait for it: `ready <url>`.
pub(super) fn print_ready(serving: &Serving) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {}", serving.url())?;
    out.flush()
}

// What is closed when a process starts is /dev/null by now.
fn goes_nowhere(out: BorrowedFd<'_>) -> std::io::Result<bool> {
    let (out, null) = (rustix::fs::fstat(out)?, rustix::fs::stat("/dev/null")?);
    Ok((out.st_mode, out.st_rdev) == (null.st_mode, null.st_rdev))
}

fn text(settings: &Settings, serving: &Serving) -> String {
    let url = serving.url();
    let data = match &settings.data {
        DataSetting::Memory => "memory: nothing is kept when the server stops".to_owned(),
        DataSetting::Directory(path) => {
            std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
        }
    };
    let keys = settings.kms_endpoint.as_ref().map_or_else(
        || "key service in this process".to_owned(),
        |endpoint| format!("customers' keys at {endpoint}, the others in this process"),
    );
    let transport = match &settings.transport {
        Transport::Cleartext if settings.dev => "cleartext HTTP, loopback only".to_owned(),
        Transport::Cleartext => "cleartext HTTP: whoever shares the network can read what is sent".to_owned(),
        Transport::OwnCertificate { cert, .. } => format!("TLS with {}", cert.display()),
        Transport::MadeCertificate { .. } => "TLS with a certificate made here".to_owned(),
    };
    let sender = if settings.dev { "any credentials (--dev)" } else { "SigV4, checked" };
    let mut text = format!(
        "Strongroom {version}\n\
         \x20 endpoint     {url} (DynamoDB, Streams, KMS, CloudTrail, STS)\n\
         \x20 transport    {transport}\n\
         \x20 credentials  {sender}; account {account}\n\
         \x20 data         {data}\n\
         \x20 root key     {root}\n\
         \x20 keys         {keys}\n",
        version = env!("CARGO_PKG_VERSION"),
        account = serving.account(),
        root = settings.root_key.describe(),
    );
    text.push_str("\nPoint the AWS CLI and SDKs here:\n");
    text.push_str(&format!("  export AWS_ENDPOINT_URL={url}\n"));
    text.push_str("  export AWS_DEFAULT_REGION=us-east-1\n");
    if let Some(ca_file) = serving.ca_file() {
        text.push_str(&format!("  export AWS_CA_BUNDLE={}\n", ca_file.display()));
    }
    if settings.dev {
        text.push_str("  export AWS_ACCESS_KEY_ID=dev AWS_SECRET_ACCESS_KEY=dev\n");
    }
    if let Some(key) = serving.new_access_key() {
        let earlier = if settings.replace_access_key { " in place of all earlier ones" } else { "" };
        text.push_str(&format!(
            "\nThe account's root user was given an access key{earlier}. Keep it: it is not shown again.\n"
        ));
        text.push_str(&format!("  access key id      {}\n", key.access_key_id));
        text.push_str(&format!("  secret access key  {}\n", key.secret.expose()));
    }
    text.push('\n');
    text
}

//! `strongroom demo`: a server of its own in a temporary directory, and a minute in the life of a table's key.
//!
//! Every call goes over the socket through the AWS SDK, and is shown as the
//! AWS CLI command it stands for. What was promised is checked at each step;
//! the first promise that does not hold ends the demonstration.

mod disk;
mod used;

use std::io::Write;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    SseSpecification, SseType, TableStatus,
};
use strongroom_seal::primitive::OsRandom;

use super::numbers::grouped;
use super::serve::{Claim, ServeError, Serving, stop_signal};
use super::settings::{Given, Settings};
use used::Used;

/// Why the demonstration ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum DemoError {
    /// The server of the demonstration.
    #[error("the server does not start")]
    Serve(#[from] ServeError),
    /// Its settings, root key or directory.
    #[error("the demonstration cannot be set up")]
    SetUp(#[source] Box<dyn std::error::Error>),
    /// A call failed that should not.
    #[error("{call} failed")]
    Call {
        /// The operation.
        call: &'static str,
        /// What came back, or why nothing did.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something is not as this program promises.
    #[error("not as promised: {0}")]
    Promise(String),
    /// Files or the terminal.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Lives through it.
pub(super) fn run() -> Result<(), DemoError> {
    super::forbid_core_dumps();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Ends here rather than by the signal, so that the directory is removed.
    let stop = runtime.block_on(async { stop_signal() })?;
    let folder = tempfile::Builder::new().prefix("strongroom-demo-").tempdir()?;
    let lived = runtime.block_on(async {
        tokio::select! {
            lived = demonstrate(folder.path()) => lived,
            () = stop => Err(std::io::Error::other("interrupted").into()),
        }
    });
    // Whatever still runs ends before its directory goes.
    drop(runtime);
    folder.close()?;
    lived
}

async fn demonstrate(folder: &std::path::Path) -> Result<(), DemoError> {
    let start = Instant::now();
    let data = folder.join("data");
    say("Strongroom: sixty seconds in the life of a table's key.\n")?;
    let settings = settings(&data)?;
    let claim = Claim::take(&settings).await?;
    let root = settings
        .root_key
        .provider(&settings.data, claim.is_new(), &OsRandom)
        .map_err(|error| DemoError::SetUp(error.into()))?;
    let serving = Serving::start(&settings, claim, root).await?;
    say(&format!("A server runs at {} with its data in {}.", serving.url(), data.display()))?;
    let lived = Demo::new(serving.url()).live().await;
    if lived.is_ok() {
        step("The server stops. What would a thief of the disk find?")?;
    }
    serving.stop().await;
    lived?;
    search_disk(&data, folder)?;
    say(&format!("\nEverything was as promised, in {:.1} seconds.", start.elapsed().as_secs_f64()))?;
    say("Start a server that stays with `strongroom serve --dev`.")
}

// As `serve --dev --listen 127.0.0.1:0 --data DIR`, whatever the environment says.
fn settings(data: &std::path::Path) -> Result<Settings, DemoError> {
    let said = serde_json::json!({ "dev": true, "listen": "127.0.0.1:0", "data": data, "log": "off" });
    let given: Given = serde_json::from_value(said).map_err(|error| DemoError::SetUp(error.into()))?;
    given.over(Given::default()).map_err(|error| DemoError::SetUp(error.into()))
}

struct Demo {
    dynamodb: aws_sdk_dynamodb::Client,
    kms: aws_sdk_kms::Client,
    cloudtrail: aws_sdk_cloudtrail::Client,
}

impl Demo {
    fn new(url: &str) -> Self {
        // A server for development takes the access key's name for the user's.
        let credentials = Credentials::new(USER, "anything", None, None, "demo");
        // The server is in this process: its calls go through no proxy, whatever the environment says.
        let http_client = aws_smithy_http_client::Builder::new().build_http();
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    $sdk::Config::builder()
                        .behavior_version($sdk::config::BehaviorVersion::v2026_01_12())
                        .region($sdk::config::Region::new("us-east-1"))
                        .endpoint_url(url)
                        .http_client(http_client.clone())
                        .credentials_provider(credentials.clone())
                        .build(),
                )
            };
        }
        Self {
            dynamodb: client!(aws_sdk_dynamodb),
            kms: client!(aws_sdk_kms),
            cloudtrail: client!(aws_sdk_cloudtrail),
        }
    }

    async fn live(&self) -> Result<(), DemoError> {
        step("A key of your own, a table under it, and a table beside it")?;
        let key = self.create_key().await?;
        self.create_table(TABLE, HASH, Some(&key)).await?;
        self.create_table(OTHER_TABLE, OTHER_HASH, None).await?;

        step("Write and read")?;
        self.put(TABLE, &[(HASH, TITLE), (ATTRIBUTE, AUTHOR)]).await?;
        self.put(OTHER_TABLE, &[(OTHER_HASH, VISITOR)]).await?;
        self.must_read(TABLE, HASH, TITLE).await?;

        step("Disable the key: the table is lost, the other goes on")?;
        command(&format!("aws kms disable-key --key-id {key}"))?;
        self.kms.disable_key().key_id(&key).send().await.map_err(failed("DisableKey"))?;
        self.must_lose(TABLE, HASH, TITLE).await?;
        self.must_have_status(TABLE, &TableStatus::InaccessibleEncryptionCredentials).await?;
        self.must_read(OTHER_TABLE, OTHER_HASH, VISITOR).await?;

        step("Enable it: the table is back, nothing lost")?;
        command(&format!("aws kms enable-key --key-id {key}"))?;
        self.kms.enable_key().key_id(&key).send().await.map_err(failed("EnableKey"))?;
        self.must_return(TABLE, HASH, TITLE).await?;
        self.must_have_status(TABLE, &TableStatus::Active).await?;

        step("Who used the key, for which table, and when?")?;
        self.show_trail(&key).await
    }

    async fn create_key(&self) -> Result<String, DemoError> {
        command(r#"aws kms create-key --description "for my books""#)?;
        let created = self.kms.create_key().description("for my books").send().await;
        let created = created.map_err(failed("CreateKey"))?;
        let key = created.key_metadata().and_then(|key| key.arn()).unwrap_or_default().to_owned();
        answer(&key)?;
        promise(key.starts_with("arn:aws:kms:"), "CreateKey returns the new key's ARN")?;
        Ok(key)
    }

    async fn create_table(&self, table: &str, hash: &str, key: Option<&str>) -> Result<(), DemoError> {
        let mut text = format!(
            "aws dynamodb create-table --table-name {table} --billing-mode PAY_PER_REQUEST \\\n    \
             --attribute-definitions AttributeName={hash},AttributeType=S \
             --key-schema AttributeName={hash},KeyType=HASH"
        );
        if let Some(key) = key {
            text.push_str(&format!(
                " \\\n    --sse-specification Enabled=true,SSEType=KMS,KMSMasterKeyId={key}"
            ));
        }
        command(&text)?;
        let attribute = AttributeDefinition::builder()
            .attribute_name(hash)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(|error| DemoError::SetUp(error.into()))?;
        let element = KeySchemaElement::builder()
            .attribute_name(hash)
            .key_type(KeyType::Hash)
            .build()
            .map_err(|error| DemoError::SetUp(error.into()))?;
        let protection = key.map(|key| {
            SseSpecification::builder().enabled(true).sse_type(SseType::Kms).kms_master_key_id(key).build()
        });
        self.dynamodb
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute)
            .key_schema(element)
            .set_sse_specification(protection)
            .send()
            .await
            .map_err(failed("CreateTable"))?;
        let described = self.describe(table).await?;
        let protected_by = described
            .sse_description()
            .and_then(|sse| sse.kms_master_key_arn())
            .map_or_else(|| "a key of the service's own".to_owned(), str::to_owned);
        answer(&format!("{}, sealed under {protected_by}", status_text(&described)))?;
        promise(
            key.is_none_or(|key| protected_by == key),
            "DescribeTable names the key that the table was created under",
        )
    }

    async fn put(&self, table: &str, item: &[(&str, &str)]) -> Result<(), DemoError> {
        let attributes: Vec<String> =
            item.iter().map(|(name, value)| format!(r#""{name}": {{"S": "{value}"}}"#)).collect();
        command(&format!(
            "aws dynamodb put-item --table-name {table} --item '{{{}}}'",
            attributes.join(", ")
        ))?;
        let mut put = self.dynamodb.put_item().table_name(table);
        for (name, value) in item {
            put = put.item(*name, AttributeValue::S((*value).to_owned()));
        }
        put.send().await.map_err(failed("PutItem"))?;
        answer("written, and durable")
    }

    fn show_get(table: &str, hash: &str, value: &str) -> Result<(), DemoError> {
        command(&format!(
            r#"aws dynamodb get-item --table-name {table} --key '{{"{hash}": {{"S": "{value}"}}}}'"#
        ))
    }

    // The item as text, or why it cannot be read.
    async fn get(&self, table: &str, hash: &str, value: &str) -> Result<String, Refused> {
        let key = AttributeValue::S(value.to_owned());
        let got = self.dynamodb.get_item().table_name(table).key(hash, key).send().await;
        let got = got.map_err(Refused::of)?;
        let mut attributes: Vec<String> = got
            .item()
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some(format!("{name}: {}", value.as_s().ok()?)))
            .collect();
        attributes.sort_unstable();
        Ok(attributes.join(", "))
    }

    async fn must_read(&self, table: &str, hash: &str, value: &str) -> Result<(), DemoError> {
        Self::show_get(table, hash, value)?;
        let item = self.get(table, hash, value).await;
        let item = item.map_err(|error| DemoError::Call { call: "GetItem", source: error.into() })?;
        answer(&item)?;
        promise(item.contains(value), "GetItem returns what PutItem wrote")
    }

    async fn must_lose(&self, table: &str, hash: &str, value: &str) -> Result<(), DemoError> {
        Self::show_get(table, hash, value)?;
        let start = Instant::now();
        while start.elapsed() < NOTICED_MAX {
            if let Err(refused) = self.get(table, hash, value).await {
                answer(&refused.to_string())?;
                answer(&format!("({} after the key was disabled)", seconds(start.elapsed())))?;
                return promise(
                    refused.message.contains("KMS")
                        || refused.code.contains("KMS")
                        || refused.message.contains("key"),
                    "the refusal says that the key is the reason",
                );
            }
            tokio::time::sleep(AGAIN).await;
        }
        Err(DemoError::Promise(format!(
            "`{table}` is still read {} after its key was disabled",
            seconds(NOTICED_MAX)
        )))
    }

    async fn must_return(&self, table: &str, hash: &str, value: &str) -> Result<(), DemoError> {
        let start = Instant::now();
        while self.get(table, hash, value).await.is_err() {
            if start.elapsed() >= NOTICED_MAX {
                let text =
                    format!("`{table}` is not back {} after its key was enabled", seconds(NOTICED_MAX));
                return Err(DemoError::Promise(text));
            }
            tokio::time::sleep(AGAIN).await;
        }
        let took = start.elapsed();
        self.must_read(table, hash, value).await?;
        answer(&format!("({} after the key was enabled)", seconds(took)))
    }

    async fn must_have_status(&self, table: &str, expected: &TableStatus) -> Result<(), DemoError> {
        command(&format!(
            "aws dynamodb describe-table --table-name {table} --query Table.TableStatus --output text"
        ))?;
        let start = Instant::now();
        loop {
            let described = self.describe(table).await?;
            if described.table_status() == Some(expected) {
                return answer(&status_text(&described));
            }
            if start.elapsed() >= NOTICED_MAX {
                let status = status_text(&described);
                return Err(DemoError::Promise(format!("`{table}` is {status}, not {expected}")));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn describe(&self, table: &str) -> Result<aws_sdk_dynamodb::types::TableDescription, DemoError> {
        let described = self.dynamodb.describe_table().table_name(table).send().await;
        let described = described.map_err(failed("DescribeTable"))?;
        described.table.ok_or_else(|| DemoError::Promise("DescribeTable describes the table".to_owned()))
    }

    async fn show_trail(&self, key: &str) -> Result<(), DemoError> {
        command(&format!(
            "aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue={key}"
        ))?;
        let attribute = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::ResourceName)
            .attribute_value(key)
            .build()
            .map_err(|error| DemoError::SetUp(error.into()))?;
        let found = self.cloudtrail.lookup_events().lookup_attributes(attribute).send().await;
        let found = found.map_err(failed("LookupEvents"))?;
        let documents = found.events().iter().filter_map(|event| event.cloud_trail_event());
        // The newest comes first; a story is told from its beginning.
        let mut events: Vec<Used> = documents.filter_map(Used::parse).collect();
        events.reverse();
        for event in &events {
            answer(&event.text())?;
        }
        let has =
            |name: &str, who: &str| events.iter().any(|event| event.name == name && event.who.contains(who));
        promise(
            has("DisableKey", USER) && has("EnableKey", USER),
            "the trail says who disabled and enabled the key",
        )?;
        promise(
            events.iter().any(|event| event.name == "GenerateDataKey" && event.table == TABLE),
            "the trail says that DynamoDB took a table key for the table",
        )?;
        promise(
            events
                .iter()
                .any(|event| event.name == "Decrypt" && event.table == TABLE && event.who.contains(USER)),
            "the trail says who reached the table through the key",
        )
    }
}

/// What a call came back with instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
struct Refused {
    code: String,
    message: String,
}

impl Refused {
    fn of<E, R>(error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        match error.code() {
            Some(code) => {
                Self { code: code.to_owned(), message: error.message().unwrap_or_default().to_owned() }
            }
            None => Self { code: "no answer".to_owned(), message: causes(&error) },
        }
    }
}

// An error and its causes as one sentence.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn search_disk(data: &std::path::Path, folder: &std::path::Path) -> Result<(), DemoError> {
    let needles = [TABLE, HASH, TITLE, ATTRIBUTE, AUTHOR, OTHER_TABLE, OTHER_HASH, VISITOR, USER];
    command(&format!("grep -raE '{}' {}", needles.join("|"), data.display()))?;
    // A search that finds nothing proves nothing unless it finds what is there.
    let plain = folder.join("plain");
    std::fs::create_dir(&plain)?;
    std::fs::write(plain.join("in-clear"), needles.join("\n"))?;
    let control = disk::search(&plain, &needles)?;
    promise(control.found.len() == needles.len(), "the search finds what lies there in clear")?;
    let search = disk::search(data, &needles)?;
    for (path, needle) in &search.found {
        answer(&format!("`{needle}` in {}", path.display()))?;
    }
    answer(&format!(
        "{} files, {} bytes searched for {} names and values: {}",
        grouped(search.files),
        grouped(search.bytes),
        needles.len(),
        if search.found.is_empty() { "nothing found" } else { "found, and that must not be" },
    ))?;
    answer("(the same search finds every one of them in a plain file beside it)")?;
    promise(search.files > 0 && search.bytes > 0, "the server has written something")?;
    promise(search.found.is_empty(), "nothing on the disk can be read")
}

// What is written and read; no name or value may turn up on the disk, and none is in the program's file formats.
const USER: &str = "alice";
const TABLE: &str = "Books";
const HASH: &str = "Title";
const TITLE: &str = "The Left Hand of Darkness";
const ATTRIBUTE: &str = "Author";
const AUTHOR: &str = "Ursula K. Le Guin";
const OTHER_TABLE: &str = "Visitors";
const OTHER_HASH: &str = "Visitor";
const VISITOR: &str = "Genly Ai";

/// How long a change of a key may take to bite.
const NOTICED_MAX: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(20);

fn promise(holds: bool, what: &str) -> Result<(), DemoError> {
    if holds { Ok(()) } else { Err(DemoError::Promise(what.to_owned())) }
}

fn failed<E, R>(call: &'static str) -> impl FnOnce(SdkError<E, R>) -> DemoError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    move |error| DemoError::Call { call, source: Refused::of(error).into() }
}

fn status_text(table: &aws_sdk_dynamodb::types::TableDescription) -> String {
    table.table_status().map_or_else(|| "no status".to_owned(), |status| status.as_str().to_owned())
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn step(title: &str) -> Result<(), DemoError> {
    say(&format!("\n== {title}"))
}

fn command(text: &str) -> Result<(), DemoError> {
    say(&format!("\n$ {text}"))
}

fn answer(text: &str) -> Result<(), DemoError> {
    say(&format!("    {text}"))
}

fn say(text: &str) -> Result<(), DemoError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// Whoever reads it is no programmer: a sentence, and nothing of how the SDK is built.
    #[tokio::test]
    async fn a_call_that_gets_no_answer_says_why_in_a_sentence() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", nobody.local_addr().unwrap());
        drop(nobody);
        let error = Demo::new(&url).create_key().await.unwrap_err();
        let text = causes(&error);
        assert!(text.starts_with("CreateKey failed: no answer: "), "{text}");
        assert!(text.contains("Connection refused"), "{text}");
        assert!(!text.contains("ConnectorError") && !text.contains('{'), "{text}");
    }

    /// What the environment says of other servers must not reach this one.
    #[test]
    fn the_server_of_the_demonstration_is_for_development_and_picks_its_port() {
        let settings = settings(std::path::Path::new("/tmp/x")).unwrap();
        assert!(settings.dev);
        assert_eq!(settings.listen.port(), 0);
        assert_eq!(settings.kms_endpoint, None);
    }
}

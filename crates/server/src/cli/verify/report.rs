//! What a verification found, as text.

use std::fmt::Write;

use strongroom_seal::data_keys::Structure;

use super::check::{Checked, Count};
use super::finding::Finding;
use crate::cli::numbers::grouped;

/// The result for one data directory.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The system store, and each table.
    pub sections: Vec<Section>,
    /// What is worth knowing and is no damage.
    pub notes: Vec<String>,
}

/// The result for one store.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// What it is: `system store`, or a table by its name.
    pub title: String,
    /// Its folder below `store`.
    pub folder: String,
    /// What its table key is wrapped by: a key's ARN.
    pub key_arn: String,
    /// The version of its keyring.
    pub keyring_version: Option<u64>,
    /// All its files.
    pub stored: Count,
    /// What was found in its objects, if they were opened.
    pub checked: Option<Checked>,
    /// Why they were not.
    pub not_checked: Option<String>,
    /// What is wrong besides.
    pub findings: Vec<Finding>,
    /// What is worth knowing and is no damage.
    pub notes: Vec<String>,
}

/// What the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every object is there and authentic.
    Well,
    /// Something is damaged, missing or in the wrong place.
    Damaged,
    /// Nothing wrong was found, but not everything could be looked at.
    Incomplete,
}

impl Section {
    fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.checked.iter().flat_map(|checked| &checked.findings))
    }
}

impl Report {
    /// What it comes to. Damage weighs more than what could not be looked at.
    pub(super) fn verdict(&self) -> Verdict {
        if self.sections.iter().any(|section| section.all_findings().next().is_some()) {
            Verdict::Damaged
        } else if self.sections.iter().any(|section| section.not_checked.is_some()) {
            Verdict::Incomplete
        } else {
            Verdict::Well
        }
    }

    /// The whole report.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for section in &self.sections {
            // Writing to a string does not fail.
            let _ = write_section(&mut text, section);
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        let tables = self.sections.len().saturating_sub(1);
        let findings: usize = self.sections.iter().map(|section| section.all_findings().count()).sum();
        let not_checked = self.sections.iter().filter(|section| section.not_checked.is_some()).count();
        let objects: u64 = self
            .sections
            .iter()
            .filter_map(|section| section.checked.as_ref())
            .map(|checked| checked.authentic.objects)
            .sum();
        let notes = self.notes.len() + self.sections.iter().map(|section| section.notes.len()).sum::<usize>();
        let noted = match notes {
            0 => String::new(),
            1 => "; see the note above".to_owned(),
            more => format!("; see the {more} notes above"),
        };
        let _ = match self.verdict() {
            Verdict::Well => {
                writeln!(
                    text,
                    "all is well: {} objects of {tables} tables and the system store authenticate, and none is \
                     missing{noted}",
                    grouped(objects)
                )
            }
            Verdict::Damaged => writeln!(
                text,
                "DAMAGED: {findings} objects are damaged, missing or in the wrong place; {not_checked} stores could not be checked"
            ),
            Verdict::Incomplete => writeln!(
                text,
                "nothing wrong was found, but {not_checked} of {tables} tables could not be checked"
            ),
        };
        text
    }
}

fn write_section(text: &mut String, section: &Section) -> std::fmt::Result {
    writeln!(text, "{}", section.title)?;
    let mut line = |name: &str, value: String| writeln!(text, "  {name:<13} {value}");
    line("folder", format!("store/{}", section.folder))?;
    let files = |count: Count| format!("{}, {} bytes", grouped(count.objects), grouped(count.bytes));
    if !section.key_arn.is_empty() {
        line("KMS key", section.key_arn.clone())?;
    }
    if let Some(version) = section.keyring_version {
        line("table key", format!("keyring version {version}"))?;
    }
    match (&section.checked, &section.not_checked) {
        (Some(checked), _) => {
            line("objects", format!("{}, authentic", files(checked.authentic)))?;
            for key in &checked.data_keys {
                let seals = match key.structure {
                    Structure::WriteAheadLog => "write-ahead log",
                    Structure::SortedRuns => "sorted runs",
                    Structure::Manifests => "manifests",
                };
                line("data key", format!("{}  {seals}: {}", key.id, files(key.count)))?;
            }
            if checked.unreferenced.objects > 0 {
                line("unreferenced", format!("{}; the server collects them", files(checked.unreferenced)))?;
            }
        }
        (None, _) => line("objects", format!("{}, not opened", files(section.stored)))?,
    }
    if let Some(why) = &section.not_checked {
        line("not checked", why.clone())?;
    }
    for finding in section.all_findings() {
        line("DAMAGED", format!("store/{}: {}", finding.object, finding.what))?;
        line("  what to do", finding.advice.to_owned())?;
    }
    for note in &section.notes {
        line("note", note.clone())?;
    }
    text.push('\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(findings: Vec<Finding>, not_checked: Option<&str>) -> Section {
        Section { findings, not_checked: not_checked.map(str::to_owned), ..Section::default() }
    }

    /// Scripts go by the exit code, so damage must never hide behind a table that was skipped.
    #[test]
    fn damage_weighs_more_than_what_was_not_checked() {
        let finding = || Finding::missing("system/wal/1".to_owned(), "it is missing".to_owned());
        let report = |sections| Report { sections, notes: Vec::new() };
        assert_eq!(report(vec![section(vec![], None)]).verdict(), Verdict::Well);
        assert_eq!(report(vec![section(vec![], Some("key disabled"))]).verdict(), Verdict::Incomplete);
        let both = report(vec![section(vec![], Some("key disabled")), section(vec![finding()], None)]);
        assert_eq!(both.verdict(), Verdict::Damaged);
        let text = both.text();
        assert!(text.contains("not checked   key disabled"), "{text}");
        assert!(text.contains("DAMAGED       store/system/wal/1: it is missing"), "{text}");
        let in_objects = Checked { findings: vec![finding()], ..Checked::default() };
        let checked = Section { checked: Some(in_objects), ..Section::default() };
        assert_eq!(report(vec![checked]).verdict(), Verdict::Damaged);
    }
}

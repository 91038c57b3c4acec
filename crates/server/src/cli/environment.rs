//! Variables that look like settings and are none: most often a misspelt one.

use clap::CommandFactory;

use super::CommandLine;

/// Tells in the log of each variable of this process that starts with `STRONGROOM_` and is no setting of `serve`.
///
/// It is no error: Kubernetes gives every process such variables when a service is called `strongroom`.
pub(super) fn tell_of_unknown_settings() {
    for name in unknown(std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned())) {
        tracing::warn!(
            "the variable {name} is no setting and changes nothing; `strongroom serve --help` names all"
        );
    }
}

fn unknown(names: impl Iterator<Item = String>) -> Vec<String> {
    let command = CommandLine::command();
    let serve = command.find_subcommand("serve").expect("there is a command `serve`");
    let known: Vec<_> = serve.get_arguments().filter_map(|argument| argument.get_env()?.to_str()).collect();
    names.filter(|name| name.starts_with("STRONGROOM_") && !known.contains(&name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_found() {
        let names = ["STRONGROOM_LISTEN", "STRONGROOM_CONFIG", "STRONGROOM_LISEN", "PATH", "STRONGROOMS"];
        assert_eq!(unknown(names.map(str::to_owned).into_iter()), ["STRONGROOM_LISEN"]);
    }
}

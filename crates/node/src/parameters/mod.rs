//! The declared parameters of a node: each parameter of the configuration by its flat name, with
//! its effective value. A change applies to all of them or to none.

mod list;
mod tree;
mod value;

use serde_json::Value;

pub use list::ListedNames;
use shuffledet_detector::config::raw::LogLevel;
use shuffledet_detector::config::{Config, ConfigError};
use shuffledet_detector::config::{schema, schema::Definition};
use shuffledet_detector::detect::DetectorSettings;
use shuffledet_detector::detect::classes::ClassSelection;
use shuffledet_detector::detect::settings::SettingsError;
use shuffledet_detector::model::ModelDescription;
pub use tree::overrides_to_tree;
use tree::{OF_CLASSES, in_force, place, remove};
pub use value::{ParameterType, ParameterValue};

/// The declared parameters of one node, the configuration that they form, and the model that they
/// fit.
#[derive(Debug, Clone)]
pub struct ParameterSet {
    model: ModelDescription,
    /// The log level if no parameter sets it.
    log_level: LogLevel,
    config: Config,
    settings: DetectorSettings,
    /// Declared parameters, and those that become declared when they are set.
    definitions: Vec<Definition>,
    /// Values by definition; a parameter without a value is not declared.
    values: Vec<ParameterValue>,
}

/// Parameters by their names.
pub type NamedValues = Vec<(String, ParameterValue)>;

/// The result of a change, as in `rcl_interfaces/msg/ParameterEvent`. A name is in one list at
/// most.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    pub new: NamedValues,
    /// Includes parameters that were set to their previous value.
    pub changed: NamedValues,
    /// Contains the previous values.
    pub deleted: NamedValues,
}

impl ParameterSet {
    /// Declares the effective parameters of `config`. Values that it leaves to the model are the
    /// model's own; `log_level` is the level from the command line.
    ///
    /// # Errors
    /// Fails if `config` does not fit the model, such as a class that it does not have.
    pub fn new(
        config: Config,
        model: ModelDescription,
        log_level: LogLevel,
    ) -> Result<Self, SettingsError> {
        let settings = DetectorSettings::new(&config.thresholds, &model)?;
        config.tracking.check(&model)?;
        let tree = in_force(&config, &model, log_level);
        let definitions = definitions(&tree, &model);
        Ok(Self {
            values: values(&definitions, &tree),
            model,
            log_level,
            config,
            settings,
            definitions,
        })
    }

    /// Returns the effective configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the effective settings of the detector.
    pub fn settings(&self) -> &DetectorSettings {
        &self.settings
    }

    /// Returns every declared parameter in the order of the schema.
    pub fn declared(&self) -> impl Iterator<Item = (&Definition, &ParameterValue)> {
        let all = self.definitions.iter().zip(&self.values);
        all.filter(|(_, value)| **value != ParameterValue::NotSet)
    }

    /// Returns the declared names that a `rcl_interfaces/srv/ListParameters` request selects; see
    /// [`list::choose`].
    pub fn list(&self, prefixes: &[String], depth: u64) -> ListedNames {
        let names = self.declared().map(|(definition, _)| &*definition.name);
        list::choose(names, prefixes, depth)
    }

    /// Returns the value of a parameter; [`ParameterValue::NotSet`] if it is not declared.
    pub fn get(&self, name: &str) -> ParameterValue {
        let found = self
            .declared()
            .find(|(definition, _)| definition.name == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// Returns the definition of a declared parameter.
    pub fn describe(&self, name: &str) -> Option<&Definition> {
        let found = self
            .declared()
            .find(|(definition, _)| definition.name == name);
        found.map(|(definition, _)| definition)
    }

    /// Sets all of `changes` together. [`ParameterValue::NotSet`] resets a parameter that has no
    /// fixed default: a class's threshold is removed; a camera's parameter returns to the value of
    /// `input`, a threshold or the groups to those of the class sets, else the model's, `log_level`
    /// to the command line's. `apply` puts the changes into effect; it is called after all checks. A
    /// rejected change changes nothing.
    ///
    /// # Errors
    /// Returns the reason for the caller: a parameter is not declared, read-only, of another type
    /// or out of range, or `apply` rejects the change.
    pub fn set(
        &mut self,
        changes: &[(String, ParameterValue)],
        apply: impl FnOnce(&Config, &DetectorSettings) -> Result<(), String>,
    ) -> Result<Change, String> {
        let config = self.proposed(changes)?;
        let settings = DetectorSettings::new(&config.thresholds, &self.model)
            .map_err(|error| error.to_string())?;
        let fits = config.tracking.check(&self.model);
        fits.map_err(|error| error.to_string())?;
        apply(&config, &settings)?;
        let classes = &config.thresholds.classes;
        if *classes != self.config.thresholds.classes
            && let Ok(selection) = ClassSelection::new(classes, &self.model)
        {
            selection.log_absent(&self.model.name);
        }
        let values = values(
            &self.definitions,
            &in_force(&config, &self.model, self.log_level),
        );
        let after = Self {
            config,
            settings,
            values,
            ..self.clone()
        };
        let change = change_between(self, &after, changes);
        *self = after;
        Ok(change)
    }

    /// Returns the configuration with `changes`, checked as far as that needs no model.
    ///
    /// # Errors
    /// As of [`ParameterSet::set`], except for what the model decides.
    pub fn proposed(&self, changes: &[(String, ParameterValue)]) -> Result<Config, String> {
        let mut tree = self.config.to_tree();
        for (name, value) in changes {
            let (path, value) = self.settable(name, value)?;
            if value == ParameterValue::NotSet {
                remove(&mut tree, path);
            } else if let Some(place) = place(&mut tree, path) {
                *place = Value::from(&value);
            }
        }
        Config::from_tree(tree, "parameters").map_err(|error| match error {
            ConfigError::Invalid { problems, .. } => problems.join("; "),
            other => other.to_string(),
        })
    }

    /// Returns whether the changes are valid and need other sessions: those of another model, at
    /// another input size, or on other providers.
    pub fn needs_sessions(&self, changes: &[(String, ParameterValue)]) -> bool {
        let sections = ["model.", "runtime."];
        let concerns = |name: &str| sections.iter().any(|section| name.starts_with(section));
        changes.iter().any(|(name, _)| concerns(name))
            && self
                .proposed(changes)
                .is_ok_and(|config| !config.has_sessions_of(&self.config))
    }

    /// Sets all of `changes` together, for the model `model` in place of the current one. The
    /// parameters of classes are then those of its classes. A rejected change changes nothing.
    ///
    /// # Errors
    /// As of [`ParameterSet::set`]; also if other parameters do not fit the model.
    pub fn set_for_model(
        &mut self,
        changes: &[(String, ParameterValue)],
        model: ModelDescription,
    ) -> Result<Change, String> {
        let config = self.proposed(changes)?;
        let after = Self::new(config, model, self.log_level)
            .map_err(|error| format!("{error}; change that parameter together with the model"))?;
        let change = change_between(self, &after, changes);
        *self = after;
        Ok(change)
    }

    /// Returns the path of `name` in the tree and `value` in its type, or the reason why it cannot
    /// be set, in rclcpp's words.
    fn settable(
        &self,
        name: &str,
        value: &ParameterValue,
    ) -> Result<(&[String], ParameterValue), String> {
        let unset = *value == ParameterValue::NotSet;
        let mut all = self.definitions.iter().zip(&self.values);
        let definition = all
            .find(|(definition, _)| definition.name == name)
            .filter(|(definition, current)| {
                **current != ParameterValue::NotSet || !definition.read_only && !unset
            })
            .map(|(definition, _)| definition)
            .ok_or_else(|| match self.absent_class(name) {
                Some(error) => error.to_string(),
                None => format!("parameter '{name}' cannot be set because it was not declared"),
            })?;
        if definition.read_only {
            return Err(format!(
                "parameter '{name}' cannot be set because it is read-only"
            ));
        }
        if unset && definition.default.is_some() {
            return Err(format!(
                "parameter '{name}': cannot undeclare a statically typed parameter"
            ));
        }
        if unset {
            return Ok((&definition.path, ParameterValue::NotSet));
        }
        let (own, given) = (ParameterType::from(definition.kind), value.parameter_type());
        match value.taken_for(definition.kind) {
            Some(ParameterValue::Double(value)) if !value.is_finite() => {
                Err(format!("{name}: expected a finite number, found {value}"))
            }
            Some(ParameterValue::DoubleArray(list)) if !list.iter().all(|x| x.is_finite()) => {
                Err(format!("{name}: expected finite numbers, found {list:?}"))
            }
            Some(value) => Ok((&definition.path, value)),
            None => Err(format!(
                "Wrong parameter type, parameter {{{name}}} is of type {{{own}}}, setting it to {{{given}}} is not \
                 allowed."
            )),
        }
    }

    /// Returns the error for the parameter of a class that the model lacks.
    fn absent_class(&self, name: &str) -> Option<SettingsError> {
        let (key, class) = OF_CLASSES.iter().find_map(|&section| {
            let class = name.strip_prefix(section)?.strip_prefix('.')?;
            Some((section, class))
        })?;
        let is_absent = self.model.labels.class_id(class).is_none();
        is_absent.then(|| SettingsError::unknown_class(key, class, &self.model))
    }
}

/// Returns the difference between the effective values of two sets, the result of `changes`.
fn change_between(
    before: &ParameterSet,
    after: &ParameterSet,
    changes: &[(String, ParameterValue)],
) -> Change {
    let mut change = Change::default();
    for (definition, new) in after.declared() {
        let name = &definition.name;
        let was_set = || changes.iter().any(|(set, _)| set == name);
        let named = || (name.clone(), new.clone());
        match before.get(name) {
            ParameterValue::NotSet => change.new.push(named()),
            old if old != *new || was_set() => change.changed.push(named()),
            _ => (),
        }
    }
    let gone = before
        .declared()
        .filter(|(definition, _)| after.get(&definition.name) == ParameterValue::NotSet);
    change.deleted = gone
        .map(|(definition, old)| (definition.name.clone(), old.clone()))
        .collect();
    change
}

/// Returns the definitions of the parameters in `tree`, and of every class of `model`.
fn definitions(tree: &Value, model: &ModelDescription) -> Vec<Definition> {
    schema::definitions(|mapping| {
        if OF_CLASSES.contains(&mapping) {
            return model.labels.names().map(str::to_owned).collect();
        }
        // cameras and topics are fixed: only the current ones have parameters
        let given = tree::at(tree, &mapping.split('.').collect::<Vec<_>>());
        let keys = given.and_then(Value::as_object).into_iter().flatten();
        keys.map(|(key, _)| key.clone()).collect()
    })
}

/// Returns the value in `tree` for each definition.
fn values(definitions: &[Definition], tree: &Value) -> Vec<ParameterValue> {
    definitions
        .iter()
        .map(|definition| {
            ParameterValue::from_json(tree::at(tree, &definition.path), definition.kind)
        })
        .collect()
}

#[cfg(test)]
mod tests;

mod every_operation;
mod published_texts;
mod raw_model;
mod wrong_types;

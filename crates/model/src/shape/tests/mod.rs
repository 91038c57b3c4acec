mod batches_and_operators;
mod every_operation;
mod published_texts;
mod raw_model;
mod wrong_types;

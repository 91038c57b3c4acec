"""Generated request sequences, sent to Strongroom and to DynamoDB Local, and their answers compared."""

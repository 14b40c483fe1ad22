-- Run at the first start, and again after a password was changed (docs/compose.md). The passwords come from the secrets' files, so
-- that no command line has them.
\set store_password `cat /run/secrets/store_password`
\set mlflow_password `cat /run/secrets/mlflow_password`
\set prefect_password `cat /run/secrets/prefect_password`
ALTER ROLE churn PASSWORD :'store_password';
ALTER ROLE mlflow PASSWORD :'mlflow_password';
ALTER ROLE prefect PASSWORD :'prefect_password';

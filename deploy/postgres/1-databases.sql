-- Run once, when the volume is new. One database and one account for each program: none can read another's.
CREATE ROLE churn LOGIN;
CREATE ROLE mlflow LOGIN;
CREATE ROLE prefect LOGIN;
CREATE DATABASE churn OWNER churn;
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE prefect OWNER prefect;
REVOKE ALL ON DATABASE churn, mlflow, prefect, postgres, template1 FROM PUBLIC;

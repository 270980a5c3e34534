{#- A table of Harvest; in its place no rows, if the source has not loaded it. Accounts that do
    not use expenses or paid time off, and tokens that may not read them, have no such tables. -#}
{% macro harvest_table(name) -%}
  {%- set relation = source('harvest', name) -%}
  {%- if not execute or load_relation(relation) is not none -%}
    {{ relation }}
  {%- else -%}
    {%- set declared = graph.sources['source.harvest.harvest.' ~ name].columns.values() -%}
    (
      select
        {% for column in declared -%}
        cast(null as {{ harvest.sql_type(column.data_type) }}) as {{ column.name }}
        {{- "," if not loop.last }}
        {% endfor -%}
      from (select 1 as one) as nothing
      where 1 = 0
    )
  {%- endif -%}
{%- endmacro %}


{#- Versions of a table, which the source keeps with `history`; none if it does not. -#}
{% macro versions_of(name) -%}
  {%- set table = source('harvest', name) -%}
  {%- if execute -%}
    {{ return(adapter.get_relation(table.database, table.schema, name ~ '_versions')) }}
  {%- endif -%}
{%- endmacro %}


{#- A type of dlt in the words of the database. -#}
{% macro sql_type(data_type) -%}
  {%- set types = {
    'text': dbt.type_string(), 'bigint': dbt.type_bigint(), 'bool': dbt.type_boolean(),
    'timestamp': dbt.type_timestamp(), 'date': 'date',
  } -%}
  {{ types.get(data_type, data_type) }}
{%- endmacro %}

{#- The day that counts as today. -#}
{% macro today() -%}
  {%- if var('harvest_today', none) -%}
    cast('{{ var("harvest_today") }}' as date)
  {%- else -%}
    current_date
  {%- endif -%}
{%- endmacro %}


{#- Days from one date to another, which are less than 0 if the other is earlier. -#}
{% macro days_between(first, second) -%}
  {{ dbt.datediff(first, second, 'day') }}
{%- endmacro %}


{#- A date some days later. -#}
{% macro days_after(date, days) -%}
  cast({{ dbt.dateadd('day', days, date) }} as date)
{%- endmacro %}


{#- 1 for Monday to 7 for Sunday: 1 January 1900 was a Monday. -#}
{% macro weekday(date) -%}
  (mod({{ harvest.days_between("cast('1900-01-01' as date)", date) }}, 7) + 1)
{%- endmacro %}


{% macro month_of(date) -%}
  cast({{ dbt.date_trunc('month', date) }} as date)
{%- endmacro %}


{#- The day of a moment, in UTC. -#}
{% macro day_of(moment) -%}
  {{ return(adapter.dispatch('day_of', 'harvest')(moment)) }}
{%- endmacro %}

{% macro default__day_of(moment) -%}
  cast({{ moment }} as date)
{%- endmacro %}

{% macro postgres__day_of(moment) -%}
  cast({{ moment }} at time zone 'UTC' as date)
{%- endmacro %}

{% macro redshift__day_of(moment) -%}
  {{ harvest.postgres__day_of(moment) }}
{%- endmacro %}

{% macro duckdb__day_of(moment) -%}
  {{ harvest.postgres__day_of(moment) }}
{%- endmacro %}

{% macro databricks__day_of(moment) -%}
  cast(to_utc_timestamp({{ moment }}, current_timezone()) as date)
{%- endmacro %}

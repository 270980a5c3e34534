{#- Only what has changed is written. A changed entry has a new `row_version`, and a deleted one
    is no longer in the view: both leave first. -#}
{{ config(
  materialized='incremental',
  on_schema_change='fail',
  pre_hook="{% if is_incremental() %}delete from {{ this }} where row_version not in (select row_version from {{ ref('int_harvest__time') }}){% endif %}"
) }}
select *
from {{ ref('int_harvest__time') }}
{% if is_incremental() -%}
where row_version not in (select row_version from {{ this }})
{%- endif %}

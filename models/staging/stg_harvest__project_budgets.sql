{#- What a project's budget was. Without `history`, what it is today. -#}
{%- set versions = harvest.versions_of('projects') %}
select
  id as project_id,
  {% if versions -%}
  {{ harvest.day_of('valid_from') }} as valid_from,
  seen_at,
  {% else -%}
  cast(null as date) as valid_from,
  cast(null as {{ dbt.type_timestamp() }}) as seen_at,
  {% endif -%}
  budget as budget_hours,
  cost_budget as budget_fees
from {{ versions or harvest.harvest_table('projects') }}
where deleted_at is null

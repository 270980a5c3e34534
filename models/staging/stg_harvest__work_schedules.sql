{#- Hours of each weekday, from 1 for Monday. -#}
{%- set days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] %}
{%- for day in days %}
select
  id as work_schedule_id,
  name as work_schedule_name,
  {{ loop.index }} as weekday,
  coalesce({{ day }}_hours, 0) as hours
from {{ harvest.harvest_table('pto_work_schedules') }}
{{ "union all" if not loop.last }}
{%- endfor %}

select
  id as user_id,
  coalesce(
    nullif(trim(coalesce(first_name, '') || ' ' || coalesce(last_name, '')), ''),
    'Person ' || cast(id as {{ dbt.type_string() }})
  ) as person_name,
  coalesce(is_active, true) as is_active,
  coalesce(is_contractor, false) as is_contractor,
  {{ harvest.ratio('weekly_capacity', '3600') }} as weekly_capacity_hours,
  {{ harvest.day_of('created_at') }} as created_on,
  _dlt_id
from {{ harvest.harvest_table('users') }}
where deleted_at is null

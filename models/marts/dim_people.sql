with tracked as (
  select
    user_id,
    min(spent_date) as first_entry_on,
    max(spent_date) as last_entry_on
  from {{ ref('stg_harvest__time_entries') }}
  group by user_id
),

roles as (
  select user_id, {{ dbt.listagg('role_name', "', '", 'order by role_name') }} as roles
  from {{ ref('stg_harvest__user_roles') }}
  group by user_id
)

select
  users.user_id,
  users.person_name,
  users.is_active,
  users.is_contractor,
  roles.roles,
  users.weekly_capacity_hours,
  tracked.first_entry_on,
  tracked.last_entry_on,
  -- Harvest knows no dates of joining and leaving
  coalesce(tracked.first_entry_on, users.created_on) as works_from,
  case when not users.is_active then coalesce(tracked.last_entry_on, users.created_on) end
    as works_until
from {{ ref('stg_harvest__users') }} as users
left join tracked on tracked.user_id = users.user_id
left join roles on roles.user_id = users.user_id

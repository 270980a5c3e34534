{#- Each day from the first year with entries, or projects, to the last: 10,000 days at most. -#}
with days_with_work as (
  select spent_date as day from {{ ref('stg_harvest__time_entries') }}
  union all
  select spent_date as day from {{ ref('stg_harvest__expenses') }}
  union all
  select starts_on as day from {{ ref('stg_harvest__projects') }}
),

first_and_last as (
  select
    cast({{ dbt.date_trunc('year', 'coalesce(min(day), ' ~ harvest.today() ~ ')') }} as date)
      as first_day,
    coalesce(max(day), {{ harvest.today() }}) as last_day
  from days_with_work
  -- Harvest began in 2006; a date before that, or far ahead, is a slip of the keyboard
  where day >= cast('2006-01-01' as date)
    and day <= {{ harvest.days_after(harvest.today(), 366) }}
),

digits as (
  {% for digit in range(10) -%}
  select {{ digit }} as digit {{ "union all" if not loop.last }}
  {% endfor %}
),

numbers as (
  select thousands.digit * 1000 + hundreds.digit * 100 + tens.digit * 10 + ones.digit as number
  from digits as thousands
  cross join digits as hundreds
  cross join digits as tens
  cross join digits as ones
),

days as (
  select
    {{ harvest.days_after('first_and_last.first_day', 'numbers.number') }} as day,
    first_and_last.last_day
  from first_and_last
  cross join numbers
),

weekdays as (
  select
    days.day,
    {{ harvest.weekday('days.day') }} as weekday,
    accounts.first_weekday
  from days
  cross join (
    select coalesce(max(first_weekday), 1) as first_weekday from {{ ref('stg_harvest__company') }}
  ) as accounts
  where cast({{ dbt.date_trunc('year', 'days.day') }} as date) <= case
    when days.last_day > {{ harvest.today() }} then days.last_day
    else {{ harvest.today() }}
  end
)

select
  day,
  weekday,
  weekday <= 5 as is_working_day,
  {{ harvest.days_after('day', '-mod(weekday - first_weekday + 7, 7)') }} as week_start,
  {{ harvest.month_of('day') }} as month,
  day > {{ harvest.today() }} as is_in_future
from weekdays
